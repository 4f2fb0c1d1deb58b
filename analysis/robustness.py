"""What remains of a correlation when its alternatives are taken away: `tables/robustness.csv`.

In: the scores' frame and the contrasts. Out: one row per contrast and check, over all tasks
together, always printed:

    given size          the partial correlation given log parameters
    within families     of deviations from family means
    between families    of family means
    without <family>    each family left out in turn
    without <size>      each third of the sizes left out in turn
    winsorised          a tenth at either end pulled in
    off floor, ceiling  pairs within two standard errors of chance or above .95 left out
    other families      own base replaced by the base of another family nearest in size
    equivalence to 0    whether |r| is shown to lie below the study's bound (.3 by default): two
                        one-sided tests and their 90 % interval
    over its control    its Fisher's z less that of its zero-shot control

Intervals are the family jackknife's through each check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mstats

from analysis.confounding import residuals
from analysis.correlation import correlate
from analysis.dependent import williams, zou
from analysis.equivalence import equivalence
from analysis.estimands import coefficient_of
from analysis.families import Families
from analysis.jackknife import family_jackknife, fisher_z
from analysis.points import Group, groups
from analysis.tables import number
from study.design import AnalysisChoices, Contrast

Floats = NDArray[np.float64]
COLUMNS = ["contrast", "check", "n_pairs", "n_families", "estimate", "low", "high", "p", "method",
           "note"]  # fmt: skip
SIZES = ("the smallest", "the middle sizes", "the largest")
"Thirds of the sizes, left out in turn."
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
    yield _plain("as measured", x, y, families)
    log_size = np.log(group.params_b)
    if np.isfinite(log_size).all():
        yield _jackknifed(
            "given size",
            lambda rest: _r(residuals(x[rest], log_size[rest]), residuals(y[rest], log_size[rest])),
            families,
        )
    else:
        yield _nothing("given size", families, "the size of some pairs is unknown")
    yield _jackknifed("within families", lambda rest: _within(x, y, families, rest), families)
    yield _jackknifed("between families", lambda rest: _between(x, y, families, rest), families)
    pulled_x, pulled_y = (np.asarray(mstats.winsorize(v, limits=(0.1, 0.1))) for v in (x, y))
    yield _plain("winsorised", pulled_x, pulled_y, families)
    stderr = np.sqrt((group.x_stderr**2).sum(1)) / group.x.shape[1]
    fine = (x > 2 * np.nan_to_num(stderr)) & (x < CEILING) & (y < CEILING)
    yield _plain("off floor, ceiling", x[fine], y[fine], families.select(fine))
    if families.count > 1:
        yield _plain("other families", _strangers(x, log_size, families), y, families)
    else:
        yield _nothing("other families", families, "not estimable: there is one family")
    yield _equivalence(x, y, families, bound)
    for family, rest in families.without_each():
        yield _plain(f"without {family}", x[rest], y[rest], families.select(rest))
    for name, rest in _size_classes(log_size):
        yield _plain(f"without {name}", x[rest], y[rest], families.select(rest))


def _equivalence(x: Floats, y: Floats, families: Families, bound: float) -> dict[str, Any]:
    row = _nothing("equivalence to 0", families, "")
    found = family_jackknife(lambda rest: fisher_z(_r(x[rest], y[rest])), families)
    _, _, why = found.interval(fisher=True)
    if why:
        return {**row, "note": why}
    error = math.sqrt(float(found.covariance[0, 0]))
    r = math.tanh(found.estimates[0])
    shown = equivalence(r, bound=bound, error=error, n_families=families.count)
    note = f"bound {bound!r}; smallest that could be shown {shown.smallest_bound!r}"
    return {**row, "estimate": r, "low": shown.low, "high": shown.high, "p": shown.p,
            "method": shown.method, "note": note}  # fmt: skip


def _r(a: Floats, b: Floats) -> float:
    return coefficient_of(a, b, "pearson") if len(a) > 2 else math.nan


def _centred(values: Floats, families: Families) -> Floats:
    members = families.members()
    return np.asarray(values - (members @ values / members.sum(1)) @ members)


def _within(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    own = families.select(rest)
    if len(own.labels) - own.count < 2:
        return math.nan
    return _r(_centred(x[rest], own), _centred(y[rest], own))


def _between(x: Floats, y: Floats, families: Families, rest: NDArray[np.bool_]) -> float:
    members = families.select(rest).members()
    sizes = members.sum(1)
    return _r(members @ x[rest] / sizes, members @ y[rest] / sizes)


def _strangers(x: Floats, log_size: Floats, families: Families) -> Floats:
    """For each pair the x of the pair of another family that is nearest in size."""
    labels = np.asarray(families.labels)
    size = np.nan_to_num(log_size)
    apart = np.abs(size[:, None] - size[None, :]) + np.where(labels[:, None] == labels, np.inf, 0.0)
    return np.asarray(x[np.argmin(apart, axis=1)])


def _size_classes(log_size: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if not np.isfinite(log_size).all() or len(np.unique(log_size)) < 3:
        return
    low, high = np.quantile(log_size, [1 / 3, 2 / 3])
    yield from zip(
        SIZES,
        (log_size > low, (log_size <= low) | (log_size > high), log_size <= high),
        strict=True,
    )


def _plain(check: str, x: Floats, y: Floats, families: Families) -> dict[str, Any]:
    found = correlate(x, y, families)
    return {
        "check": check,
        "n_pairs": found.n_pairs,
        "n_families": found.n_families,
        "estimate": found.estimate,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.p,
        "method": found.interval.method,
        "note": found.note,
    }


def _jackknifed(
    check: str, statistic: Callable[[NDArray[np.bool_]], float], families: Families
) -> dict[str, Any]:
    found = family_jackknife(lambda rest: fisher_z(statistic(rest)), families)
    interval, p, note = found.interval(fisher=True)
    row = _nothing(check, families, note)
    return {
        **row,
        "estimate": math.tanh(found.estimates[0]),
        "low": interval.low,
        "high": interval.high,
        "p": p,
        "method": interval.method,
    }


def _nothing(check: str, families: Families, note: str) -> dict[str, Any]:
    return {
        "check": check, "n_pairs": len(families.labels), "n_families": families.count,
        "estimate": math.nan, "low": math.nan, "high": math.nan, "p": math.nan, "method": "",
        "note": note,
    }  # fmt: skip


def _over_control(group: Group, control: Group) -> dict[str, Any]:
    """The difference of Fisher's z over the pairs and tasks that both have, and what the closed
    forms for independent pairs say of it."""
    pairs = [pair for pair in group.pairs if pair in control.pairs]
    tasks = [task for task in group.tasks if task in control.tasks]
    x, y = _means(group, group.x, pairs, tasks), _means(group, group.y, pairs, tasks)
    other = _means(control, control.x, pairs, tasks)
    families = group.families.select(np.isin(group.pairs, pairs))
    found = family_jackknife(
        lambda rest: fisher_z(_r(x[rest], y[rest])) - fisher_z(_r(other[rest], y[rest])), families
    )
    interval, p, note = found.interval()
    row = _nothing("over its control", families, note)
    n, r = len(pairs), (_r(x, y), _r(other, y), _r(x, other))
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
    """For the terminal: every check but the families and sizes left out, of which the range."""
    lines = []
    for contrast, block in frame.groupby("contrast", sort=False):
        lines.append(f"{contrast}, over all tasks, when alternatives are taken away")
        out = block["check"].str.startswith("without ")
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
