"""The correlation over all tasks without each family, each third of sizes and each task in turn.

In: a group of scores. Out: rows of the table of robustness. A relation that one of them makes is
seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.points import Group
from analysis.tables.robustness.assembly import plain_row

Floats = NDArray[np.float64]
WITHOUT = "without "
FAMILY, SIZE, TASK = (f"{WITHOUT}{what}: " for what in ("family", "sizes", "task"))
"What a check's name begins with."
SIZES = ("the smallest", "the middle", "the largest")


def left_out_rows(group: Group) -> Iterator[dict[str, Any]]:
    """Families, then sizes where they are known, then tasks where there are several."""
    x, y, families = group.x.mean(1), group.y.mean(1), group.families
    for family, rest in families.without_each():
        yield plain_row(f"{FAMILY}{family}", x[rest], y[rest], families.select(rest))
    for name, rest in _size_classes(np.log(group.params_b)):
        yield plain_row(f"{SIZE}{name}", x[rest], y[rest], families.select(rest))
    if len(group.tasks) > 1:
        for i, task in enumerate(group.tasks):
            others = np.arange(len(group.tasks)) != i
            x, y = group.x[:, others].mean(1), group.y[:, others].mean(1)
            yield plain_row(f"{TASK}{task}", x, y, families)


def _size_classes(log_size: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if not np.isfinite(log_size).all() or len(np.unique(log_size)) < 3:
        return
    low, high = np.quantile(log_size, [1 / 3, 2 / 3])
    yield from zip(
        SIZES,
        (log_size > low, (log_size <= low) | (log_size > high), log_size <= high),
        strict=True,
    )
