"""Confidence intervals that state which sources of noise they cover.

In: the ends of an interval. Out: `Interval`, and the text of the `covers` columns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

Noise = Literal["items", "draws", "seeds", "tasks", "families"]
SOURCES: tuple[Noise, ...] = get_args(Noise)
"The sources of noise, in the order in which `covers` names them."
FAMILY_NOISE: tuple[Noise, ...] = ("items", "draws", "families")
"What resampling families covers: a family's scores carry the noise of its items and draws."


def join_noise(covers: Collection[Noise]) -> str:
    """Join sources of noise as the `covers` column of every table writes them.

    >>> join_noise(("families", "items"))
    'items+families'
    """
    return "+".join(source for source in SOURCES if source in covers)


@dataclass(frozen=True)
class Interval:
    """A confidence interval for one number."""

    low: float
    high: float
    level: float
    "Nominal coverage, such as 0.95."
    method: str
    covers: tuple[Noise, ...]
    """Sources of noise that a replication would resample. An interval that covers families
    generalises to other families like these; one that covers only items describes these models."""
