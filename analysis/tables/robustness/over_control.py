"""A contrast against its zero-shot control: is the correlation with demonstrations larger?

In: the groups of scores of a contrast and of its control. Out: a row of the robustness table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.points import Group
from analysis.statistics.correlation.dependent import williams, zou
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.tables.robustness.assembly import empty_row, pearson

Floats = NDArray[np.float64]


def over_control_row(group: Group, control: Group) -> dict[str, Any]:
    """Difference of Fisher's z over the pairs and tasks that both arms have.

    The note gives the closed-form tests for independent pairs.
    """
    pairs = [pair for pair in group.pairs if pair in control.pairs]
    tasks = [task for task in group.tasks if task in control.tasks]
    families = group.families.select(np.isin(group.pairs, pairs))
    if not pairs or not tasks:
        note = "not estimable: no pair has scores in both contrasts on the same tasks"
        return empty_row("over its control", families, note)
    x, y = _means(group, group.x, pairs, tasks), _means(group, group.y, pairs, tasks)
    zero_shot = _means(control, control.x, pairs, tasks)
    jackknife = family_jackknife(
        lambda rest: (
            fisher_z(pearson(x[rest], y[rest])) - fisher_z(pearson(zero_shot[rest], y[rest]))
        ),
        families,
    )
    interval, p, note = jackknife.interval()
    n, r = len(pairs), (pearson(x, y), pearson(zero_shot, y), pearson(x, zero_shot))
    if n > 3 and all(abs(value) < 1 for value in r):
        low, high = zou(*r, n)
        closed = f"for independent pairs: difference of r {r[0] - r[1]!r}"
        closed = f"{closed}, Zou {low!r} to {high!r}, Williams p {williams(*r, n).p!r}"
        note = "; ".join(filter(None, (note, closed)))
    return {
        **empty_row("over its control", families, note),
        "estimate": float(jackknife.estimates[0]),
        "low": interval.low,
        "high": interval.high,
        "p": p,
        "method": interval.method,
    }


def _means(group: Group, scores: Floats, pairs: list[str], tasks: list[str]) -> Floats:
    """Mean scores [pairs] over some tasks of some pairs."""
    rows = [group.pairs.index(pair) for pair in pairs]
    columns = [group.tasks.index(task) for task in tasks]
    return np.asarray(scores[np.ix_(rows, columns)].mean(1))
