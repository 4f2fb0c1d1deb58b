"""Agreement on one task, summed over pairs, with a bootstrap over items.

In: item scores of both arms on the same items, [pairs, draws, items]. Out: `PairedItems`: the sums
that shares of items are made of, for the items as they are and for resampled items (whole clusters,
such as the questions on one passage).

With several draws of demonstrations, every draw of one arm is compared with every draw of the
other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.items.agreement import error_consistency_of
from analysis.statistics.items.clustered_errors import standard_error
from analysis.statistics.resampling.shared_resamples import Resample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SUMS = ("n", "both", "base", "tuned", "only", "wrong", "same_wrong")
MIN_DISAGREEMENT = 1e-12
"Expected disagreement below which kappa counts as undefined."
MAX_PRODUCTS = 2**21
"Numbers in an array of resampled shares of several pairs."


@dataclass(frozen=True)
class PairedItems:
    """Sums and kappas of one task: row 0 of the items as they are, further rows of resamples."""

    pairs: int
    items: int
    clusters: int
    sums: Floats
    """[1 + draws, SUMS]: sums over pairs, divided by the number of items: of all pairs; of those
    that both solve; the base solves; the tuned model solves; the tuned model solves and its base
    in no attempt; both get wrong; both get wrong with the same answer."""
    kappa: Floats
    "[1 + draws]: error consistency, the mean over pairs and draws where it is defined."
    kappa_least: float
    "Smallest mean kappa that the accuracies allow."
    kappa_most: float
    "Largest mean kappa that the accuracies allow."
    undefined: int
    "Number of comparisons (pairs times draws) for which kappa is undefined."
    compared: int
    "Number of comparisons."
    difference: float
    "Mean score of tuned models minus that of bases, over pairs and items."
    difference_error: float
    "Standard error of the difference, over clusters of items."
    choices_known: bool


def paired_items(
    base: Floats,
    tuned: Floats,
    base_attempts: Sequence[Floats],
    clusters: Ints,
    *,
    choices: tuple[Ints, Ints] | None,
    resample: Resample,
) -> PairedItems:
    """Compare scores [pairs, draws, items] of base and tuned models on the same items.

    `base_attempts` holds the scores of every arm of the base on these items; `clusters` [items]
    labels items that are resampled together; `choices` are the answers of both arms, in the shape
    of their scores, or None where they are unknown; `resample` draws clusters.
    """
    unsolved = 1 - np.max([attempt.max(1) for attempt in base_attempts], axis=0)
    wrong, same = _same_wrong_answers(base, tuned, choices)
    base_means, tuned_means = base.mean(1), tuned.mean(1)
    table = np.column_stack(
        [
            np.full(base.shape[2], float(len(base))),
            (base_means * tuned_means).sum(0),
            base_means.sum(0),
            tuned_means.sum(0),
            (tuned_means * unsolved).sum(0),
            wrong,
            same,
        ]
    )
    codes = np.unique(clusters, return_inverse=True)[1]
    n_clusters = int(codes.max()) + 1
    counts = np.vstack([np.ones(n_clusters), resample(n_clusters)])[:, codes]
    sums = counts @ table
    kappa, undefined, compared = _kappas(base, tuned, counts)
    least, most = _kappa_bounds(base, tuned)
    differences = (tuned_means - base_means).mean(0)
    return PairedItems(
        pairs=len(base),
        items=base.shape[2],
        clusters=n_clusters,
        sums=sums / counts.sum(1, keepdims=True),
        kappa=kappa,
        kappa_least=least,
        kappa_most=most,
        undefined=undefined,
        compared=compared,
        difference=float(differences.mean()),
        difference_error=standard_error(differences, clusters=codes),
        choices_known=choices is not None,
    )


def _same_wrong_answers(
    base: Floats, tuned: Floats, choices: tuple[Ints, Ints] | None
) -> tuple[Floats, Floats]:
    """[items]: number of pairs in which both are wrong, and with the same answer; mean of draws."""
    wrong = (1 - base)[:, :, None] * (1 - tuned)[:, None]
    if choices is None:
        zeros = np.zeros(wrong.shape[-1])
        return zeros, zeros
    base_choices, tuned_choices = choices
    same = wrong * (base_choices[:, :, None] == tuned_choices[:, None])
    return wrong.mean((1, 2)).sum(0), same.mean((1, 2)).sum(0)


def _kappas(base: Floats, tuned: Floats, counts: Floats) -> tuple[Floats, int, int]:
    """Return (mean kappa of each row of counts, undefined in the first row, compared).

    Pairs are handled a few at a time, which bounds memory.
    """
    rows, n = len(counts), counts.sum(1)
    total, defined = np.zeros(rows), np.zeros(rows)
    draws = base.shape[1] * tuned.shape[1]
    at_once = max(1, MAX_PRODUCTS // (draws * rows))

    def shares(scores: Floats) -> Floats:
        """Resampled means [rows, pairs, …] of scores [pairs, …, items]."""
        means = counts @ scores.reshape(-1, scores.shape[-1]).T / n[:, None]
        return np.asarray(means.reshape(rows, *scores.shape[:-1]))

    for start in range(0, len(base), at_once):
        x, y = base[start : start + at_once], tuned[start : start + at_once]
        px, py = shares(x)[:, :, :, None], shares(y)[:, :, None, :]
        both = shares(x[:, :, None] * y[:, None])
        expected = px * py + (1 - px) * (1 - py)
        fine = expected < 1 - MIN_DISAGREEMENT
        denominator = np.where(fine, 1 - expected, 1.0)
        kappa = np.where(fine, (1 - px - py + 2 * both - expected) / denominator, 0.0)
        for pair in range(len(x)):
            total += kappa[:, pair].sum((1, 2))
            defined += fine[:, pair].sum((1, 2))
    means = np.divide(total, defined, out=np.full(rows, np.nan), where=defined > 0)
    compared = len(base) * draws
    return means, compared - int(defined[0]), compared


def _kappa_bounds(base: Floats, tuned: Floats) -> tuple[float, float]:
    """Bounds of the mean kappa, given the accuracies; nan where kappa is nowhere defined."""
    bounds = [
        (
            error_consistency_of(max(0.0, px + py - 1), px, py),
            error_consistency_of(min(px, py), px, py),
        )
        for x, y in zip(base.mean(2).tolist(), tuned.mean(2).tolist(), strict=True)
        for px in x
        for py in y
    ]
    defined = np.array([pair for pair in bounds if np.isfinite(pair).all()])
    if not len(defined):
        return math.nan, math.nan
    least, most = defined.mean(0)
    return float(least), float(most)
