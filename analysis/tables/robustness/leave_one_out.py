"""The overall correlation without each family, each third of model sizes, and each task.

In: a group of scores. Out: rows of the robustness table. They show a relation that depends on one
family, size or task.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.points import Group
from analysis.tables.robustness.assembly import correlation_row

Floats = NDArray[np.float64]
WITHOUT = "without "
FAMILY, SIZE, TASK = (f"{WITHOUT}{kind}: " for kind in ("family", "sizes", "task"))
"Prefixes of the names of the checks."
SIZES = ("the smallest", "the middle", "the largest")


def leave_one_out_rows(group: Group) -> Iterator[dict[str, Any]]:
    """Yield families, then sizes if they are known, then tasks if there are several."""
    x, y, families = group.x.mean(1), group.y.mean(1), group.families
    for family, remaining in families.without_each():
        yield correlation_row(
            f"{FAMILY}{family}", x[remaining], y[remaining], families.select(remaining)
        )
    for name, remaining in _without_sizes(np.log(group.params_b)):
        yield correlation_row(
            f"{SIZE}{name}", x[remaining], y[remaining], families.select(remaining)
        )
    if len(group.tasks) > 1:
        for i, task in enumerate(group.tasks):
            others = np.arange(len(group.tasks)) != i
            x, y = group.x[:, others].mean(1), group.y[:, others].mean(1)
            yield correlation_row(f"{TASK}{task}", x, y, families)


def _without_sizes(log_size: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each third of the sizes with the selection of the other pairs."""
    if not np.isfinite(log_size).all() or len(np.unique(log_size)) < 3:
        return
    low, high = np.quantile(log_size, [1 / 3, 2 / 3])
    yield from zip(
        SIZES,
        (log_size > low, (log_size <= low) | (log_size > high), log_size <= high),
        strict=True,
    )
