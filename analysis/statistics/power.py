"""What a study could show, before anything is computed: `study power`.

In: the families of its pairs, the items of its tasks. Out: `Power`, one row per true correlation.

Pairs of one family count for less than one each: M pairs in families of m on average are worth
M / (1 + (m - 1)·icc) independent ones. Items blur a score by at most 1/(2√n), which attenuates the
correlation by the reliability that the spread of pairs' scores leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from analysis.data.families import Families
from analysis.report import number, probability
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.items.sampling import detectable_difference, pairs_needed
from analysis.statistics.resampling.wild_bootstrap import smallest_p
from analysis.statistics.result import Result

CORRELATIONS = (0.3, 0.5, 0.7, 0.9)
SPREAD = 0.15
"Standard deviation of true scores over pairs, where nothing is known yet: that of published ones."


@dataclass(frozen=True)
class Power(Result):
    """What `pairs` in `families` can show on tasks of `items`."""

    rows: pd.DataFrame
    """`r` (true), `measured` (attenuated by items), `power` (of .05, two-sided), `pairs_needed`
    (for power .8)."""
    pairs: int
    families: int
    independent: float
    "Independent pairs that they are worth."
    items: int
    reliability: float
    difference: float
    "Smallest difference of two models on the same items that shows with power .8."
    smallest_p: float
    smallest_bound: float
    "Smallest |r| that could be excluded, were there no correlation."
    intra_family: float

    def to_frame(self) -> pd.DataFrame:
        """A row for each true correlation."""
        about = {name: value for name, value in vars(self).items() if name != "rows"}
        return self.rows.assign(**about)

    def sentence(self) -> str:
        """For a paper."""
        return (
            f"{self.pairs} pairs of {self.families} families (intra-family correlation "
            f"{self.intra_family:g}) are worth {self.independent:.0f} independent pairs; "
            f"{self.items} items give a reliability of {self.reliability:.2f}."
        )

    def text(self) -> str:
        """For the terminal."""
        lines = [self.sentence(), "", "  true r   measured   power   pairs for power .8"]
        for _, row in self.rows.iterrows():
            lines.append(
                f"  {number(row['r']):>6}{number(row['measured']):>11}{number(row['power']):>8}"
                f"{int(row['pairs_needed']):>12}"
            )
        lines += [
            "",
            f"no p can be below {probability(self.smallest_p)} with {self.families} families",
            f"with no correlation at all, |r| below {number(self.smallest_bound)} could be shown",
            f"two models that differ by {number(self.difference, 3)} on the same items are told "
            "apart with power .8",
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
    """`items`: of the score that is correlated, all tasks of a type or of the study together."""
    pairs, groups = len(families.labels), families.count
    per_family = pairs / groups
    independent = pairs / (1 + (per_family - 1) * intra_family)
    reliability = spread**2 / (spread**2 + 0.25 / items)
    rows = []
    for r in CORRELATIONS:
        measured = r * reliability
        free = independent - 3
        shift = math.atanh(measured) * math.sqrt(free) if free > 0 else math.nan
        quantile = float(stats.norm.ppf(1 - alpha / 2))
        reached = float(stats.norm.sf(quantile - shift) + stats.norm.cdf(-quantile - shift))
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
        # Two models of like accuracy disagree on a quarter of the items, say.
        difference=detectable_difference(items, 0.25),
        smallest_p=smallest_p(groups),
        smallest_bound=bound,
        intra_family=intra_family,
    )
