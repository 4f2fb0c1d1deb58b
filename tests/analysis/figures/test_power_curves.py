"""Power curves."""

from __future__ import annotations

from analysis.figures.power_curves import power_curves, power_data
from analysis.statistics.families import Families


def test_power_curves() -> None:
    families = Families.of([f"f{i // 3}" for i in range(30)])
    data = power_data(families, items=500)
    for _, rows in data.groupby("r"):
        assert rows["power"].dropna().is_monotonic_increasing
    assert len(power_curves(families, items=500).axes[0].lines) == 2 + 4
