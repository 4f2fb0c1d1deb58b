"""Item scores of simulated pairs, for which the correlation of true scores is known.

In: a `Scenario`, a generator. Out: item scores of base and tuned models with the families of the
pairs; the correlation of measured scores. The model is described in `calibration.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.statistics.families import Families

TRUE_SPREAD, ITEM_RANGE, INTERACTION_SPREAD, SHARED_INTERACTION = 0.1, 0.2, 0.1, 0.6
"""Standard deviation of true scores, half-range of items, standard deviation of model by item, and
the share of its variance that the models of a pair have in common."""


@dataclass(frozen=True)
class Scenario:
    """One setting of the simulation."""

    families: int
    intra_family: float
    rho: float
    "Correlation of true scores."
    items: int


def measured_rho(rho: float, items: int) -> float:
    """The correlation of measured scores, in units of the true variance."""
    # Variance of one answer besides its item's part: the Bernoulli variance at the mean of
    # p (1 - p), and the model by item part, which is contained in the variance of p.
    bernoulli = 0.25 - TRUE_SPREAD**2 - ITEM_RANGE**2 / 3 - INTERACTION_SPREAD**2
    error = (bernoulli + INTERACTION_SPREAD**2) / items / TRUE_SPREAD**2
    shared = SHARED_INTERACTION * INTERACTION_SPREAD**2 / items / TRUE_SPREAD**2
    return (rho + shared) / (1 + error)


def simulate(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Families]:
    """Item scores [pairs, items] of base and tuned models, and the families."""
    sizes = rng.integers(1, 6, scenario.families)
    labels = np.repeat(np.arange(scenario.families), sizes)
    cov = np.array([[1, scenario.rho], [scenario.rho, 1]])
    common = rng.multivariate_normal([0, 0], scenario.intra_family * cov, scenario.families)
    individual = rng.multivariate_normal([0, 0], (1 - scenario.intra_family) * cov, len(labels))
    true = common[labels] + individual
    shape = (len(labels), scenario.items)
    item = rng.uniform(-ITEM_RANGE, ITEM_RANGE, scenario.items)
    shared = rng.normal(0, INTERACTION_SPREAD * math.sqrt(SHARED_INTERACTION), shape)
    sides = []
    for side in (0, 1):
        alone = rng.normal(0, INTERACTION_SPREAD * math.sqrt(1 - SHARED_INTERACTION), shape)
        p = 0.5 + TRUE_SPREAD * true[:, [side]] + item + shared + alone
        sides.append((rng.random(shape) < p).astype(float))
    return sides[0], sides[1], Families.of(labels.tolist())
