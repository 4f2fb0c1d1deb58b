"""Power of a study before anything is computed: which correlations could it detect?

In: the families of its pairs, and its number of items. Out: `Power`, a row per true correlation.

Pairs of one family carry less information than independent ones: M pairs in families of m on
average are worth M / (1 + (m - 1)·icc) independent pairs. Sampling n items gives a score a standard
error of at most 1/(2√n), which attenuates the correlation by the reliability, given the spread of
pairs' true scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.distributions import normal_cdf, normal_quantile, normal_tail
from analysis.formatting import number, probability
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.families import Families
from analysis.statistics.items.sampling import (
    check_number,
    check_share,
    detectable_difference,
    pairs_needed,
)
from analysis.statistics.resampling.wild_bootstrap import smallest_p
from analysis.statistics.result import Result

TRUE_CORRELATIONS = (0.3, 0.5, 0.7, 0.9)
SPREAD = 0.15
"Standard deviation of true scores over pairs, typical of published scores."
DISAGREEMENT = 0.25
"Share of the items on which two models of similar accuracy disagree."


@dataclass(frozen=True)
class Power(Result):
    """Power of a study of `pairs` pairs in `families` families on `items` items."""

    rows: pd.DataFrame
    """Columns `r` (true), `measured` (attenuated by measurement error), `power` (of a two-sided
    test) and `pairs_needed` (for power .8)."""
    pairs: int
    families: int
    independent: float
    "Number of independent pairs of equal information."
    items: int
    reliability: float
    difference: float
    "Smallest difference of two models on the same items that is detected with power .8."
    smallest_p: float
    smallest_bound: float
    "Smallest |r| that could be excluded if the true correlation were 0."
    intra_family: float

    def to_frame(self) -> pd.DataFrame:
        """Return one row per true correlation."""
        about = {name: value for name, value in vars(self).items() if name != "rows"}
        return self.rows.assign(**about)

    def sentence(self) -> str:
        """Describe the design for a paper."""
        return (
            f"{self.pairs} pairs of {self.families} families (intra-family correlation "
            f"{self.intra_family:g}) are worth {self.independent:.0f} independent pairs; "
            f"{self.items} items give a reliability of {self.reliability:.2f}."
        )

    def text(self) -> str:
        """Format the power analysis for the terminal."""
        lines = [self.sentence(), "", "  true r   measured   power   pairs for power .8"]
        for _, row in self.rows.iterrows():
            lines.append(
                f"  {number(row['r']):>6}{number(row['measured']):>11}{number(row['power']):>8}"
                f"{int(row['pairs_needed']):>12}"
            )
        lines += [
            "",
            f"smallest p attainable with {self.families} families: {probability(self.smallest_p)}",
            "smallest |r| that could be excluded if there were no correlation: "
            f"{number(self.smallest_bound)}",
            "smallest difference of two models on the same items detected with power .8: "
            f"{number(self.difference, 3)}",
        ]
        return "\n".join(lines)


def power(
    families: Families,
    *,
    items: int,
    intra_family: float = 0.5,
    spread: float = SPREAD,
    alpha: float = 0.05,
) -> Power:
    """Compute the power of a study to detect true correlations of .3, .5, .7 and .9.

    `items` is the number of items of the score that is correlated: all tasks of a type, or of the
    study. `intra_family` is the correlation of pairs within a family, `spread` the standard
    deviation of true scores over pairs, `alpha` the two-sided level. ValueError for impossible
    input.
    """
    pairs, groups = len(families.labels), families.count
    if not pairs:
        raise ValueError("families must hold at least one pair; found none")
    check_number("items", items, minimum=1)
    check_number("intra_family", intra_family, minimum=0, maximum=1)
    if not (math.isfinite(spread) and spread > 0):
        raise ValueError(f"spread must be finite and above 0; found {spread}")
    check_share("alpha", alpha)
    per_family = pairs / groups
    independent = pairs / (1 + (per_family - 1) * intra_family)
    reliability = spread**2 / (spread**2 + 0.25 / items)
    rows = []
    for r in TRUE_CORRELATIONS:
        measured = r * reliability
        df = independent - 3
        shift = math.atanh(measured) * math.sqrt(df) if df > 0 else math.nan
        quantile = float(normal_quantile(1 - alpha / 2))
        reached = float(normal_tail(quantile - shift) + normal_cdf(-quantile - shift))
        needed = pairs_needed(
            measured, alpha=alpha, per_family=per_family, intra_family=intra_family
        )
        rows.append({"r": r, "measured": measured, "power": reached, "pairs_needed": needed})
    bound = math.nan
    if independent > 3 and groups > 1:
        error = 1 / math.sqrt(independent - 3)
        bound = equivalence(0.0, bound=0.5, error=error, n_families=groups).smallest_bound
    return Power(
        rows=pd.DataFrame(rows),
        pairs=pairs,
        families=groups,
        independent=independent,
        items=items,
        reliability=reliability,
        difference=detectable_difference(items, DISAGREEMENT),
        smallest_p=smallest_p(groups),
        smallest_bound=bound,
        intra_family=intra_family,
    )
