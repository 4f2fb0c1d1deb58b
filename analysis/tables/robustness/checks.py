"""What remains of a correlation when its alternatives are taken away: `tables/robustness.csv`.

In: the scores' frame and the contrasts. Out: one row per contrast and check, over all tasks
together, always printed:

    given size          the partial correlation given log parameters
    within families     of deviations from family means
    between families    of family means
    winsorised          a tenth at either end pulled in
    off floor, ceiling  pairs within two standard errors of chance or above .95 left out
    other families      own base replaced by the base of another family nearest in size
    equivalence to 0    whether |r| is shown to lie below the study's bound (.3 by default): two
                        one-sided tests and their 90 % interval
    over its control    its Fisher's z less that of its zero-shot control
    without <what>      each family, third of the sizes and task left out in turn (influence.py)

Intervals are the family jackknife's through each check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mstats

from analysis.data.families import Families
from analysis.data.points import Group, groups
from analysis.report import number
from analysis.statistics.correlation.dependent import williams, zou
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.correlation.partial import residuals
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.tables.robustness.assembly import jackknifed_row, nothing_row, pearson, plain_row
from analysis.tables.robustness.leave_one_out import WITHOUT, left_out_rows
from study.config.analysis import AnalysisChoices, Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "check", "n_pairs", "n_families", "estimate", "low", "high", "p", "method",
           "note"]  # fmt: skip
CEILING = 0.95
BOUND = AnalysisChoices().equivalence_bound


def robustness(
    scores: pd.DataFrame, contrasts: Sequence[Contrast], *, bound: float = BOUND
) -> pd.DataFrame:
    """Every check of every contrast; what cannot be estimated says why."""
    whole = {c.name: next(groups(scores, x_arm=c.x, y_arm=c.y)) for c in contrasts}
    rows: list[dict[str, Any]] = []
    for contrast in contrasts:
        found = list(_checks(whole[contrast.name], bound))
        for control in contrasts:
            same_y = control.y == contrast.y and control.x != contrast.x
            if same_y and control.x.endswith("-0shot"):
                found.append(_over_control(whole[contrast.name], whole[control.name]))
        rows += [{"contrast": contrast.name, **row} for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def _checks(group: Group, bound: float) -> Iterator[dict[str, Any]]:
    x, y, families = group.x.mean(1), group.y.mean(1), group.families
    yield plain_row("as measured", x, y, families)
    log_size = np.log(group.params_b)
    if np.isfinite(log_size).all():
        yield jackknifed_row(
            "given size",
            lambda rest: pearson(
                residuals(x[rest], log_size[rest]), residuals(y[rest], log_size[rest])
            ),
            families,
        )
    else:
        yield nothing_row("given size", families, "the size of some pairs is unknown")
    yield jackknifed_row("within families", lambda rest: _within(x, y, families, rest), families)
    yield jackknifed_row("between families", lambda rest: _between(x, y, families, rest), families)
    pulled_x, pulled_y = (np.asarray(mstats.winsorize(v, limits=(0.1, 0.1))) for v in (x, y))
    yield plain_row("winsorised", pulled_x, pulled_y, families)
    stderr = np.sqrt((group.x_stderr**2).sum(1)) / group.x.shape[1]
    fine = (x > 2 * np.nan_to_num(stderr)) & (x < CEILING) & (y < CEILING)
    yield plain_row("off floor, ceiling", x[fine], y[fine], families.select(fine))
    if families.count > 1:
        yield plain_row("other families", _strangers(x, log_size, families), y, families)
    else:
        yield nothing_row("other families", families, "not estimable: there is one family")
    yield _equivalence(x, y, families, bound)
    yield from left_out_rows(group)


def _equivalence(x: Floats, y: Floats, families: Families, bound: float) -> dict[str, Any]:
    row = nothing_row("equivalence to 0", families, "")
    found = family_jackknife(lambda rest: fisher_z(pearson(x[rest], y[rest])), families)
    _, _, why = found.interval(fisher=True)
    if why:
        return {**row, "note": why}
    error = math.sqrt(float(found.covariance[0, 0]))
    r = math.tanh(found.estimates[0])
    shown = equivalence(r, bound=bound, error=error, n_families=families.count)
    note = f"bound {bound!r}; smallest that could be shown {shown.smallest_bound!r}"
    return {**row, "estimate": r, "low": shown.low, "high": shown.high, "p": shown.p,
            "method": shown.method, "note": note}  # fmt: skip


def _centred(values: Floats, families: Families) -> Floats:
    members = families.members()
    return np.asarray(values - (members @ values / members.sum(1)) @ members)


def _within(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    own = families.select(rest)
    if len(own.labels) - own.count < 2:
        return math.nan
    return pearson(_centred(x[rest], own), _centred(y[rest], own))


def _between(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    members = families.select(rest).members()
    sizes = members.sum(1)
    return pearson(members @ x[rest] / sizes, members @ y[rest] / sizes)


def _strangers(x: Floats, log_size: Floats, families: Families) -> Floats:
    """For each pair the x of the pair of another family that is nearest in size."""
    labels = np.asarray(families.labels)
    size = np.nan_to_num(log_size)
    apart = np.abs(size[:, None] - size[None, :]) + np.where(labels[:, None] == labels, np.inf, 0.0)
    return np.asarray(x[np.argmin(apart, axis=1)])


def _over_control(group: Group, control: Group) -> dict[str, Any]:
    """The difference of Fisher's z over the pairs and tasks that both have, and what the closed
    forms for independent pairs say of it."""
    pairs = [pair for pair in group.pairs if pair in control.pairs]
    tasks = [task for task in group.tasks if task in control.tasks]
    x, y = _means(group, group.x, pairs, tasks), _means(group, group.y, pairs, tasks)
    other = _means(control, control.x, pairs, tasks)
    families = group.families.select(np.isin(group.pairs, pairs))
    found = family_jackknife(
        lambda rest: fisher_z(pearson(x[rest], y[rest])) - fisher_z(pearson(other[rest], y[rest])),
        families,
    )
    interval, p, note = found.interval()
    row = nothing_row("over its control", families, note)
    n, r = len(pairs), (pearson(x, y), pearson(other, y), pearson(x, other))
    if n > 3 and all(abs(value) < 1 for value in r):
        low, high = zou(*r, n)
        closed = f"for independent pairs: difference of r {r[0] - r[1]!r}"
        note = f"{closed}, Zou {low!r} to {high!r}, Williams p {williams(*r, n).p!r}"
        row["note"] = "; ".join(filter(None, (row["note"], note)))
    return {**row, "estimate": float(found.estimates[0]), "low": interval.low,
            "high": interval.high, "p": p, "method": interval.method}  # fmt: skip


def _means(group: Group, scores: Floats, pairs: list[str], tasks: list[str]) -> Floats:
    rows = [group.pairs.index(pair) for pair in pairs]
    columns = [group.tasks.index(task) for task in tasks]
    return np.asarray(scores[np.ix_(rows, columns)].mean(1))


def robustness_text(frame: pd.DataFrame) -> str:
    """For the terminal: every check but what is left out in turn, of which the range."""
    lines = []
    for contrast, block in frame.groupby("contrast", sort=False):
        lines.append(f"{contrast}, over all tasks, when alternatives are taken away")
        out = block["check"].str.startswith(WITHOUT)
        for _, row in block[~out & (block["check"] != "equivalence to 0")].iterrows():
            ends = f"[{number(row['low'])}, {number(row['high'])}]"
            note = "   " + row["note"].split(";")[0] if math.isnan(row["estimate"]) else ""
            lines.append(f"  {row['check']:<20}{number(row['estimate']):>6}   {ends}{note}")
        found = block[out].dropna(subset="estimate").sort_values("estimate")
        if len(found):
            least, most = found.iloc[0], found.iloc[-1]
            lines.append(
                f"  left out by one     {number(least['estimate']):>6} ({least['check']}) to "
                f"{number(most['estimate'])} ({most['check']})"
            )
        lines.append("")
    return "\n".join(lines)
