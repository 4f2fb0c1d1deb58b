"""Measurement error variance of mean scores, from item scores or from standard errors.

In: item scores [pairs, draws, items] of every task, or standard errors [pairs, tasks]. Out:
`VarianceComponents` of one arm and task; `ErrorVariance`, which gives the error covariances of any
selection of pairs.

With item scores the errors are the residuals of model by item, model by draw, and both. Without,
reported standard errors stand in: these include the difficulty of items, which all models share,
and not the covariance of the errors of base and tuned, so they correct too much where items differ
much in difficulty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.disattenuation.moments import cluster_sums
from analysis.statistics.result import Result

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class VarianceComponents(Result):
    """Variance components of a score other than the variance of the models' means."""

    model_item: float
    "Model by item."
    model_draw: float
    "Model by draw of demonstrations; nan with one draw."
    residual: float
    "Model by draw by item."
    draws: int
    items: int

    @property
    def of_mean(self) -> float:
        """Error variance of a model's mean: σ²_md/D + σ²_mi/n + σ²_r/(nD)."""
        each = self.model_item / self.items + self.residual / (self.items * self.draws)
        return self.model_draw / self.draws + each

    def sentence(self) -> str:
        """Describe the components for a paper."""
        return (
            f"Error variance of a model's mean over {self.items} items and {self.draws} draws: "
            f"{self.of_mean:.2g} (of a single score: model by item {self.model_item:.2g}, model by "
            f"draw {self.model_draw:.2g}, residual {self.residual:.2g})."
        )


def variance_components(scores: Floats) -> VarianceComponents:
    """Estimate components of scores [models, draws, items] by analysis of variance.

    Negative estimates stay negative. With one draw, `model_draw` is nan and `residual` is 0.
    """
    models, draws, items = scores.shape
    item_mean_square = _interaction(scores.mean(1)) / ((models - 1) * (items - 1))
    if draws == 1:
        return VarianceComponents(item_mean_square, math.nan, 0.0, 1, items)
    draw_mean_square = _interaction(scores.mean(2)) / ((models - 1) * (draws - 1))
    residuals = scores
    for axis in range(3):
        residuals = residuals - residuals.mean(axis, keepdims=True)
    residual = float((residuals**2).sum()) / ((models - 1) * (draws - 1) * (items - 1))
    return VarianceComponents(
        model_item=item_mean_square - residual / draws,
        model_draw=draw_mean_square - residual / items,
        residual=residual,
        draws=draws,
        items=items,
    )


def _interaction(means: Floats) -> float:
    """Sum of squares of the interaction in a table of means."""
    centred = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    return float((centred**2).sum())


class _Scatter:
    """Sum over selected models of products of their deviations from the mean of these models."""

    def __init__(self, x: Floats, y: Floats) -> None:
        """Both are [models, k]."""
        # Centred first: sums of products of raw scores would cancel.
        self.x, self.y = _centre(x, 0), _centre(y, 0)
        self.products = np.vecdot(self.x, self.y)

    def of(self, selected: NDArray[np.bool_]) -> float:
        """Σ_m (x_m - x̄)·(y_m - ȳ) over the selected models (boolean, [models])."""
        weights = selected.astype(float)
        between = (weights @ self.x) @ (weights @ self.y) / weights.sum()
        return float(weights @ self.products - between)


def _centre(values: Floats, axis: int) -> Floats:
    return np.asarray(values - values.mean(axis, keepdims=True))


@dataclass(frozen=True)
class TaskScores:
    """Item scores of both arms on one task."""

    x: Floats
    "[pairs, draws, items]"
    y: Floats
    "[pairs, draws, items]; draws may differ in number from those of x."
    clusters: Ints
    "[items]: label of the items that are sampled together."
    chance: float
    "Chance level, by which mean scores are normalised."

    def covariance(self, selected: NDArray[np.bool_]) -> Floats:
        """Error covariance [2, 2] of the mean scores of selected pairs: that of `error_covariance`,
        and for each arm the model by draw variance of `variance_components`."""
        pairs, items, groups = int(selected.sum()), len(self.clusters), self._clusters
        if groups < 2:
            return np.full((2, 2), math.nan)
        xx, xy, yy = (scatter.of(selected) for scatter in self._item_scatters)
        products = np.array([[xx, xy], [xy, yy]])
        covariance = products / (pairs - 1) * (groups / (groups - 1)) / items**2
        for i, scatters in enumerate(self._draw_scatters):
            if scatters is not None:
                of_means, of_residuals = scatters
                draws = (self.x, self.y)[i].shape[1]
                mean_square = of_means.of(selected) / ((pairs - 1) * (draws - 1))
                residual = of_residuals.of(selected) / ((pairs - 1) * (draws - 1) * (items - 1))
                covariance[i, i] += (mean_square - residual / items) / draws
        return covariance

    @cached_property
    def _clusters(self) -> int:
        return len(np.unique(self.clusters))

    @cached_property
    def _item_scatters(self) -> tuple[_Scatter, _Scatter, _Scatter]:
        """Of x and x, x and y, y and y: model by item deviations, summed over clusters."""
        x, y = (
            cluster_sums(_centre(scores.mean(1), 1), self.clusters) for scores in (self.x, self.y)
        )
        return _Scatter(x, x), _Scatter(x, y), _Scatter(y, y)

    @cached_property
    def _draw_scatters(self) -> tuple[tuple[_Scatter, _Scatter] | None, ...]:
        """For each arm with several draws, of models by draws and of models by draws by items."""
        scatters: list[tuple[_Scatter, _Scatter] | None] = []
        for scores in (self.x, self.y):
            models, draws, _ = scores.shape
            if draws == 1:
                scatters.append(None)
                continue
            means = _centre(scores.mean(2), 1)
            residuals = _centre(_centre(scores, 2), 1).reshape(models, -1)
            scatters.append((_Scatter(means, means), _Scatter(residuals, residuals)))
        return tuple(scatters)


@dataclass(frozen=True)
class ErrorVariance:
    """Error covariances of mean scores over tasks, for any selection of pairs."""

    x_stderr: Floats
    "[pairs, tasks]: standard errors of chance-normalised scores, used where `tasks` is None."
    y_stderr: Floats
    tasks: tuple[TaskScores, ...] | None
    "Item scores of every task, or None."

    def covariances(self, selected: NDArray[np.bool_]) -> Floats:
        """Error covariances [selected pairs, 2, 2]; from item scores they are equal for all."""
        pairs, tasks = int(selected.sum()), self.x_stderr.shape[1]
        if self.tasks is None:
            covariances = np.zeros((pairs, 2, 2))
            for i, stderr in enumerate((self.x_stderr, self.y_stderr)):
                covariances[:, i, i] = (stderr[selected] ** 2).sum(1) / tasks**2
            return covariances
        total = np.zeros((2, 2))  # items of different tasks are independent
        for task in self.tasks:
            total += task.covariance(selected) / (1.0 - task.chance) ** 2
        return np.broadcast_to(total / tasks**2, (pairs, 2, 2))
