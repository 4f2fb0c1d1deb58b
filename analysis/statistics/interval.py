"""Intervals that say which noise they cover.

In: an estimate's ends. Out: `Interval`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Noise = Literal["items", "draws", "families"]
EVERY_NOISE: tuple[Noise, ...] = ("items", "draws", "families")


@dataclass(frozen=True)
class Interval:
    """An interval for one number."""

    low: float
    high: float
    level: float
    "Nominal coverage, 0.95 say."
    method: str
    covers: tuple[Noise, ...]
    """The sources of noise that another study would draw anew: an interval that covers families
    says what other families like these would give; one that covers items alone speaks of these
    models."""
