"""Rows of the table of robustness.

In: a check's name and what is correlated in it. Out: a row with estimate, interval, p and, where
there is no number, why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.families import Families
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.estimands import coefficient_of
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z

Floats = NDArray[np.float64]


def pearson(a: Floats, b: Floats) -> float:
    """Pearson's r; nan of fewer than three pairs, or where either is constant."""
    return coefficient_of(a, b, "pearson") if len(a) > 2 else math.nan


def plain_row(check: str, x: Floats, y: Floats, families: Families) -> dict[str, Any]:
    """Pearson's r of x and y [pairs]."""
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


def jackknifed_row(
    check: str, statistic: Callable[[NDArray[np.bool_]], float], families: Families
) -> dict[str, Any]:
    """A correlation of a selection of pairs [pairs]; nan where it is undefined."""
    found = family_jackknife(lambda rest: fisher_z(statistic(rest)), families)
    interval, p, note = found.interval(fisher=True)
    row = nothing_row(check, families, note)
    return {
        **row,
        "estimate": math.tanh(found.estimates[0]),
        "low": interval.low,
        "high": interval.high,
        "p": p,
        "method": interval.method,
    }


def nothing_row(check: str, families: Families, note: str) -> dict[str, Any]:
    """A row without a number, and why."""
    return {
        "check": check, "n_pairs": len(families.labels), "n_families": families.count,
        "estimate": math.nan, "low": math.nan, "high": math.nan, "p": math.nan, "method": "",
        "note": note,
    }  # fmt: skip
