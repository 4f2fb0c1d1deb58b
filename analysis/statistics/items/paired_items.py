"""One task's items, base against tuned, summed over pairs, and what they would be for other items.

In: answers of both sides to the same items. Out: `PairedItems`: sums of what agreement is made of,
for the items as they are and for items (or passages, whole) drawn anew.

With several draws of demonstrations every draw of one side meets every draw of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.data.items import Answers
from analysis.statistics.items.agreement import error_consistency_of
from analysis.statistics.items.sampling import standard_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SUMS = ("n", "both", "base", "tuned", "only", "wrong", "same_wrong")


@dataclass(frozen=True)
class PairedItems:
    """Rows of the sums and of κ: the first as the items are, the others for items drawn anew."""

    pairs: int
    items: int
    clusters: int
    sums: Floats
    """[1 + draws, SUMS]: of pairs times items, those that count; that both solve; the base; the
    tuned model; the tuned model and its base in no arm or draw; that both get wrong, and with the
    same answer. Shares: each row is divided by its number of items."""
    kappa: Floats
    "[1 + draws]: mean error consistency over pairs and draws where it is defined."
    kappa_least: float
    "The least and the greatest that the accuracies allow, means over the same."
    kappa_most: float
    undefined: int
    "Pairs and draws for which κ is undefined,"
    compared: int
    "of so many."
    difference: float
    "Tuned less base, the mean over pairs and items,"
    difference_error: float
    "and its standard error over clusters of items."
    choices_known: bool


def paired_items(
    base: Answers,
    tuned: Answers,
    ways: Sequence[Floats],
    clusters: Ints,
    *,
    draws: int,
    rng: np.random.Generator,
) -> PairedItems:
    """`ways`: scores [pairs, draws, items] of every arm of the base on these items."""
    x, y = base.scores, tuned.scores
    unsolved = 1 - np.max([way.max(1) for way in ways], axis=0)
    wrong, same = _wrong_alike(base, tuned)
    of_x, of_y = x.mean(1), y.mean(1)
    table = np.column_stack(
        [np.full(x.shape[2], float(len(x))), (of_x * of_y).sum(0), of_x.sum(0), of_y.sum(0),
         (of_y * unsolved).sum(0), wrong, same]
    )  # fmt: skip
    codes = np.unique(clusters, return_inverse=True)[1]
    number = int(codes.max()) + 1
    counts = np.vstack(
        [np.ones(number), rng.multinomial(number, np.full(number, 1 / number), size=draws)]
    )[:, codes]
    sums = counts @ table
    kappa, undefined, compared = _kappas(x, y, counts)
    least, most = _attainable(x, y)
    apart = (of_y - of_x).mean(0)
    return PairedItems(
        pairs=len(x),
        items=x.shape[2],
        clusters=number,
        sums=sums / counts.sum(1, keepdims=True),
        kappa=kappa,
        kappa_least=least,
        kappa_most=most,
        undefined=undefined,
        compared=compared,
        difference=float(apart.mean()),
        difference_error=standard_error(apart, clusters=codes),
        choices_known=base.choices is not None and tuned.choices is not None,
    )


def _wrong_alike(base: Answers, tuned: Answers) -> tuple[Floats, Floats]:
    """[items]: in how many pairs both are wrong, and with the same answer; draws averaged."""
    wrong = (1 - base.scores)[:, :, None] * (1 - tuned.scores)[:, None]
    if base.choices is None or tuned.choices is None:
        nothing = np.zeros(wrong.shape[-1])
        return nothing, nothing
    same = wrong * (base.choices[:, :, None] == tuned.choices[:, None])
    return wrong.mean((1, 2)).sum(0), same.mean((1, 2)).sum(0)


def _kappas(x: Floats, y: Floats, counts: Floats) -> tuple[Floats, int, int]:
    """(means [rows of counts], undefined at first, compared); pair by pair, which bounds memory."""
    n = counts.sum(1)
    total, defined = np.zeros(len(counts)), np.zeros(len(counts))
    compared = 0
    for of_x, of_y in zip(x, y, strict=True):
        pb = (counts @ of_x.T / n[:, None])[:, :, None]
        pt = (counts @ of_y.T / n[:, None])[:, None, :]
        together = (of_x[:, None] * of_y[None]).reshape(-1, x.shape[2])
        both = (counts @ together.T / n[:, None]).reshape(len(counts), len(of_x), len(of_y))
        expected = pb * pt + (1 - pb) * (1 - pt)
        fine = expected < 1 - 1e-12
        room = np.where(fine, 1 - expected, 1.0)
        kappa = np.where(fine, (1 - pb - pt + 2 * both - expected) / room, 0.0)
        total += kappa.sum((1, 2))
        defined += fine.sum((1, 2))
        compared += fine[0].size
    means = np.divide(total, defined, out=np.full(len(counts), np.nan), where=defined > 0)
    return means, compared - int(defined[0]), compared


def _attainable(x: Floats, y: Floats) -> tuple[float, float]:
    """Bounds of the mean κ, given both sides' accuracies; nan where κ is nowhere defined."""
    found = [
        (error_consistency_of(max(0.0, pb + pt - 1), pb, pt),
         error_consistency_of(min(pb, pt), pb, pt))
        for of_x, of_y in zip(x.mean(2).tolist(), y.mean(2).tolist(), strict=True)
        for pb in of_x
        for pt in of_y
    ]  # fmt: skip
    defined = np.array([ends for ends in found if np.isfinite(ends).all()])
    if not len(defined):
        return math.nan, math.nan
    least, most = defined.mean(0)
    return float(least), float(most)
