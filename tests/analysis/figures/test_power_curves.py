"""Power curves."""

from __future__ import annotations

import pytest

from analysis.figures.power_curves import power_curves, power_data
from analysis.statistics.families import Families


def test_power_curves() -> None:
    families = Families.of([f"f{i // 3}" for i in range(30)])
    data = power_data(families, items=500)
    for _, rows in data.groupby("r"):
        assert rows["power"].dropna().is_monotonic_increasing
    assert len(power_curves(families, items=500).axes[0].lines) == 2 + 4


def test_impossible_input_is_an_error() -> None:
    families = Families.of("aabb")
    with pytest.raises(ValueError, match="pairs must be at least 6; found 5"):
        power_data(families, items=500, pairs=5)
    with pytest.raises(ValueError, match="items must be at least 1; found 0"):
        power_data(families, items=0)
