"""Quantiles and tails of the distributions that tests and intervals refer to.

In: values, and degrees of freedom. Out: the numbers of `scipy.stats`, from the functions that it
calls itself (a test compares all of them): to import `scipy.stats` takes longer than to analyse a
study.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from scipy import special


def normal_cdf(x: ArrayLike) -> Any:
    """P(Z ≤ x) of a standard normal Z."""
    return special.ndtr(x)


def normal_tail(x: Any) -> Any:
    """P(Z > x) of a standard normal Z."""
    return special.ndtr(-x)


def normal_quantile(p: ArrayLike) -> Any:
    """The x for which P(Z ≤ x) = p."""
    return special.ndtri(p)


def t_tail(x: Any, df: ArrayLike) -> Any:
    """P(T > x) of Student's t."""
    return special.stdtr(df, -x)


def t_quantile(p: ArrayLike, df: ArrayLike) -> Any:
    """The x for which P(T ≤ x) = p."""
    return special.stdtrit(df, p)


def f_tail(x: ArrayLike, df_numerator: ArrayLike, df_denominator: ArrayLike) -> Any:
    """P(F > x)."""
    return special.fdtrc(df_numerator, df_denominator, x)


def chi_squared_tail(x: ArrayLike, df: ArrayLike) -> Any:
    """P(χ² > x)."""
    return special.chdtrc(df, x)
