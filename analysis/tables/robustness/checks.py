"""Checks of the overall correlation against alternative explanations: `tables/robustness.csv`.

In: the frame of scores and the contrasts. Out: one row per contrast and check, over all tasks:

    as measured         the correlation itself
    given size          partial correlation given log parameters
    within families     of deviations from family means
    between families    of family means
    winsorised          the lowest and the highest tenth winsorised
    off floor, ceiling  without pairs within two standard errors of chance or above .95
    other families      each base replaced by the base of another family nearest in size
    equivalence to 0    is |r| below the study's bound (.3 by default)? two one-sided tests, with
                        their 90 % interval
    over its control    Fisher's z less that of the zero-shot control (over_control.py)
    without <subset>    without each family, third of sizes and task in turn (leave_one_out.py)

Intervals are those of the family jackknife through each check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.points import Group, groups
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.correlation.partial import residuals
from analysis.statistics.families import Families
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.tables.robustness.assembly import correlation_row, empty_row, jackknife_row, pearson
from analysis.tables.robustness.leave_one_out import leave_one_out_rows
from analysis.tables.robustness.over_control import over_control_row
from study.config.analysis import AnalysisChoices, Contrast

Floats = NDArray[np.float64]
COLUMNS = [
    "contrast",
    "check",
    "n_pairs",
    "n_families",
    "estimate",
    "low",
    "high",
    "p",
    "method",
    "note",
]
EQUIVALENCE = "equivalence to 0"
CHECKS = (
    "as measured",
    "given size",
    "within families",
    "between families",
    "winsorised",
    "off floor, ceiling",
    "other families",
    EQUIVALENCE,
)
"Checks of every contrast."
CEILING = 0.95
WINSORISED = 0.1
"Share that is winsorised at either end."
DEFAULT_BOUND = AnalysisChoices().equivalence_bound


def robustness(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, bound: float = DEFAULT_BOUND
) -> pd.DataFrame:
    """Compute the table; `bound` is the largest |r| that counts as equivalent to zero."""
    overall = {c.name: next(groups(scores, x_arm=c.x, y_arm=c.y)) for c in contrasts}
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        checks = list(_checks(overall[contrast.name], bound))
        for control in contrasts:
            same_y = control.y == contrast.y and control.x != contrast.x
            if same_y and control.x.endswith("-0shot"):
                checks.append(over_control_row(overall[contrast.name], overall[control.name]))
        rows += [{"contrast": contrast.name, **row} for row in checks]
    return pd.DataFrame(rows, columns=COLUMNS)


def _checks(group: Group, bound: float) -> Iterator[dict[str, Any]]:
    if group.problem:
        yield from (empty_row(check, group.families, group.problem) for check in CHECKS)
        return
    x, y, families = group.x.mean(1), group.y.mean(1), group.families
    log_size = np.log(group.params_b)
    yield correlation_row("as measured", x, y, families)
    yield _given_size(x, y, log_size, families)
    yield jackknife_row("within families", lambda rest: _within(x, y, families, rest), families)
    yield jackknife_row("between families", lambda rest: _between(x, y, families, rest), families)
    yield correlation_row("winsorised", _winsorise(x), _winsorise(y), families)
    stderr = np.sqrt((group.x_stderr**2).sum(1)) / group.x.shape[1]
    inside = (x > 2 * np.nan_to_num(stderr)) & (x < CEILING) & (y < CEILING)
    yield correlation_row("off floor, ceiling", x[inside], y[inside], families.select(inside))
    if families.count > 1:
        yield correlation_row("other families", _other_bases(x, log_size, families), y, families)
    else:
        yield empty_row("other families", families, "not estimable: there is one family")
    yield _equivalence(x, y, families, bound)
    yield from leave_one_out_rows(group)


def _given_size(x: Floats, y: Floats, log_size: Floats, families: Families) -> dict[str, Any]:
    if not np.isfinite(log_size).all():
        return empty_row("given size", families, "the size of some pairs is unknown")

    def partial(rest: NDArray[np.bool_]) -> float:
        return pearson(residuals(x[rest], log_size[rest]), residuals(y[rest], log_size[rest]))

    return jackknife_row("given size", partial, families)


def _equivalence(x: Floats, y: Floats, families: Families, bound: float) -> dict[str, Any]:
    row = empty_row(EQUIVALENCE, families, "")
    jackknife = family_jackknife(lambda rest: fisher_z(pearson(x[rest], y[rest])), families)
    _, _, reason = jackknife.interval(fisher=True)
    if reason:
        return {**row, "note": reason}
    error = math.sqrt(float(jackknife.covariance[0, 0]))
    r = math.tanh(jackknife.estimates[0])
    test = equivalence(r, bound=bound, error=error, n_families=families.count)
    return {
        **row,
        "estimate": r,
        "low": test.low,
        "high": test.high,
        "p": test.p,
        "method": test.method,
        "note": f"bound {bound!r}; smallest attainable bound {test.smallest_bound!r}",
    }


def _winsorise(values: Floats) -> Floats:
    """Replace the lowest and the highest tenth by the nearest value that remains."""
    ordered = np.sort(values)
    replaced = int(WINSORISED * len(values))
    return np.clip(values, ordered[replaced], ordered[-1 - replaced])


def _centre(values: Floats, families: Families) -> Floats:
    """Deviations from family means."""
    members = families.members()
    return np.asarray(values - (members @ values / members.sum(1)) @ members)


def _within(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    remaining = families.select(rest)
    if len(remaining.labels) - remaining.count < 2:
        return math.nan
    return pearson(_centre(x[rest], remaining), _centre(y[rest], remaining))


def _between(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    members = families.select(rest).members()
    sizes = members.sum(1)
    return pearson(members @ x[rest] / sizes, members @ y[rest] / sizes)


def _other_bases(x: Floats, log_size: Floats, families: Families) -> Floats:
    """For each pair, x of the pair of another family that is nearest in size."""
    labels = np.asarray(families.labels)
    size = np.nan_to_num(log_size)
    same_family = labels[:, None] == labels
    distance = np.abs(size[:, None] - size[None, :]) + np.where(same_family, np.inf, 0.0)
    return np.asarray(x[np.argmin(distance, axis=1)])
