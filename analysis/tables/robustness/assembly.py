"""Rows of the robustness table.

In: the name of a check and what it correlates. Out: a row with estimate, interval and p, or with a
note that says why they are missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.correlation.coefficients import coefficient_of
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.families import Families
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z

Floats = NDArray[np.float64]


def pearson(x: Floats, y: Floats) -> float:
    """Pearson's r; nan for fewer than three pairs, or if either is constant."""
    return coefficient_of(x, y, "pearson") if len(x) > 2 else math.nan


def correlation_row(check: str, x: Floats, y: Floats, families: Families) -> dict[str, Any]:
    """Row of Pearson's r of x and y [pairs]."""
    correlation = correlate(x, y, families)
    return {
        "check": check,
        "n_pairs": correlation.n_pairs,
        "n_families": correlation.n_families,
        "estimate": correlation.estimate,
        "low": correlation.interval.low,
        "high": correlation.interval.high,
        "p": correlation.p,
        "method": correlation.interval.method,
        "note": correlation.note,
    }


def jackknife_row(
    check: str, statistic: Callable[[NDArray[np.bool_]], float], families: Families
) -> dict[str, Any]:
    """Row of a correlation that is a function of a selection [pairs]; nan where undefined."""
    jackknife = family_jackknife(lambda remaining: fisher_z(statistic(remaining)), families)
    interval, p, note = jackknife.interval(fisher=True)
    return {
        **empty_row(check, families, note),
        "estimate": math.tanh(jackknife.estimates[0]),
        "low": interval.low,
        "high": interval.high,
        "p": p,
        "method": interval.method,
    }


def empty_row(check: str, families: Families, note: str) -> dict[str, Any]:
    """Row without a number, and the reason."""
    return {
        "check": check,
        "n_pairs": len(families.labels),
        "n_families": families.count,
        "estimate": math.nan,
        "low": math.nan,
        "high": math.nan,
        "p": math.nan,
        "method": "",
        "note": note,
    }
