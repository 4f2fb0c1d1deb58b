"""Linear mixed models with crossed random effects and known sampling variances.

In: scores, a design matrix, random effects (`Term`), the known sampling variance of each score.
Out: `MixedFit`, by restricted maximum likelihood (reml.py), of

    y = Xβ + Z u + ε + e,   var e known,

where ε is omitted if the known variances are the only residual. statsmodels fits crossed effects
slowly, fails where a variance component is 0 and takes no sampling variances; here 0 is a result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from analysis.distributions import normal_tail
from analysis.statistics.multilevel.random_effects import RandomEffects
from analysis.statistics.multilevel.reml import RestrictedLikelihood
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
RESIDUAL = "residual"


@dataclass(frozen=True)
class Term:
    """Random effects of one factor: an intercept and slopes for each of its levels."""

    labels: Sequence[object]
    "Level of each score, [n]."
    slopes: Mapping[str, ArrayLike] = field(default_factory=dict)
    "Columns [n] by name; their effects are correlated with the intercept and each other."
    intercept: bool = True


@dataclass(frozen=True)
class MixedFit(Result):
    """Fixed effects, and the standard deviation of each variance component."""

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    "Covariance of the coefficients."
    deviations: dict[str, float]
    "Standard deviation by component, `term` or `term:slope`; 0 at the boundary."
    correlations: dict[str, float]
    "Correlations of a term's effects, `term:one,other`; nan where a component is 0."
    criterion: float
    "-2 times the restricted log-likelihood."
    n: int
    at_boundary: tuple[str, ...]
    "Components that are 0."
    parameters: Floats
    "Entries of the terms' triangular factors, then the residual standard deviation."

    @property
    def errors(self) -> Floats:
        """Standard errors of the coefficients."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per fixed effect, with Wald's z."""
        z = self.coefficients / self.errors
        return pd.DataFrame(
            {
                "effect": self.names,
                "estimate": self.coefficients,
                "stderr": self.errors,
                "z": z,
                "p": 2 * normal_tail(np.abs(z)),
            }
        )

    def sentence(self) -> str:
        """Describe the fit for a paper."""
        fixed = ", ".join(
            f"{name} {value:.3g} ({error:.2g})"
            for name, value, error in zip(self.names, self.coefficients, self.errors, strict=True)
        )
        spread = ", ".join(f"{name} {value:.3g}" for name, value in self.deviations.items())
        return (
            f"Coefficients (standard errors): {fixed}; standard deviations: {spread}; "
            f"{self.n} scores."
        )


def mixed_model(
    y: ArrayLike,
    design: Mapping[str, ArrayLike],
    terms: Mapping[str, Term],
    *,
    known: ArrayLike | None = None,
    residual: bool = True,
    start: MixedFit | None = None,
) -> MixedFit:
    """Fit a linear mixed model to scores y [n].

    `design` holds columns [n] by name, the constant included; `terms` random effects by name;
    `known` sampling variances [n]; `residual` says whether there is a residual beyond them;
    `start` is a fit of similar data whose parameters serve as starting values. ValueError if the
    columns of the design are not independent, or the model has no residual at all.
    """
    ys = np.asarray(y, dtype=float)
    x = np.column_stack([np.broadcast_to(np.asarray(c, float), ys.shape) for c in design.values()])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError(f"the columns {', '.join(design)} are not independent")
    if known is None and not residual:
        raise ValueError("the model needs known variances or a residual; found neither")
    scale = float((ys - x @ np.linalg.lstsq(x, ys, rcond=None)[0]).std()) or 1.0
    noise = np.zeros(len(ys)) if known is None else np.asarray(known, dtype=float)
    parts = {name: _effects(name, term) for name, term in terms.items()}
    columns = [z for z, _, _ in parts.values()]
    model = RestrictedLikelihood(
        y=ys / scale,
        x=x,
        z=sparse.hstack(columns, format="csr") if columns else sparse.csr_array((len(ys), 0)),
        known=noise / scale**2,
        blocks=tuple(RandomEffects(levels, len(names)) for _, names, levels in parts.values()),
        residual=residual,
    )
    with threadpool_limits(1, user_api="blas"):  # threads do not help on small matrices
        theta = model.maximise(None if start is None else start.parameters / scale)
        point = model.evaluate(theta)
    names = {term: columns for term, (_, columns, _) in parts.items()}
    deviations, correlations = _components(names, model.triangles(theta * scale))
    if residual:
        deviations[RESIDUAL] = float(theta[-1]) * scale
    return MixedFit(
        names=tuple(design),
        coefficients=point.coefficients * scale,
        covariance=point.covariance * scale**2,
        deviations=deviations,
        correlations=correlations,
        criterion=point.criterion + 2 * (len(ys) - x.shape[1]) * math.log(scale),
        n=len(ys),
        at_boundary=tuple(name for name, deviation in deviations.items() if deviation == 0),
        parameters=theta * scale,
    )


def _components(
    names: Mapping[str, tuple[str, ...]], triangles: Sequence[Floats]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return (standard deviations, correlations), by name."""
    deviations, correlations = {}, {}
    for (term, columns), lower in zip(names.items(), triangles, strict=True):
        covariance = lower @ lower.T
        spread = np.sqrt(np.diag(covariance))
        for i, name in enumerate(columns):
            deviations[_component_name(term, name)] = float(spread[i])
            for j in range(i):
                both = float(spread[i] * spread[j])
                r = float(covariance[i, j]) / both if both > 0 else math.nan
                correlations[f"{term}:{columns[j] or 'intercept'},{name}"] = r
    return deviations, correlations


def _effects(name: str, term: Term) -> tuple[sparse.csr_array, tuple[str, ...], int]:
    """Return (Z [n, levels · columns], names of the columns, number of levels)."""
    codes, levels = pd.factorize(np.asarray(term.labels, dtype=object))
    columns = ([("", np.ones(len(codes)))] if term.intercept else []) + [
        (slope, np.asarray(values, dtype=float)) for slope, values in term.slopes.items()
    ]
    if not columns:
        raise ValueError(f"{name} needs an intercept or a slope; found neither")
    k = len(columns)
    rows = np.repeat(np.arange(len(codes)), k)
    indices = (codes[:, None] * k + np.arange(k)).ravel()
    values = np.column_stack([values for _, values in columns]).ravel()
    z = sparse.csr_array((values, (rows, indices)), shape=(len(codes), len(levels) * k))
    return z, tuple(slope for slope, _ in columns), len(levels)


def _component_name(term: str, column: str) -> str:
    return f"{term}:{column}" if column else term
