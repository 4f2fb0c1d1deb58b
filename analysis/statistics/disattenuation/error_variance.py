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

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.disattenuation.moments import error_covariance
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
            x, y = task.x[selected], task.y[selected]
            covariance = error_covariance(x.mean(1), y.mean(1), clusters=task.clusters)
            for i, scores in enumerate((x, y)):
                if scores.shape[1] > 1:
                    covariance[i, i] += variance_components(scores).model_draw / scores.shape[1]
            total += covariance / (1.0 - task.chance) ** 2
        return np.broadcast_to(total / tasks**2, (pairs, 2, 2))
