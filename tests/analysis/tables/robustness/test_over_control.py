"""A contrast against its zero-shot control, on simulated scores."""

from __future__ import annotations

from tests.analysis.tables.robustness.test_checks import checked, simulated


def test_a_contrast_exceeds_a_worse_control_and_not_an_equal_one() -> None:
    beaten = checked(simulated(shared=0.1, size=0.0, control=0.0)).loc["over its control"]
    assert beaten["low"] > 0
    assert "Williams p" in beaten["note"]
    level = checked(simulated(shared=0.1, size=0.0)).loc["over its control"]
    assert level["low"] < 0 < level["high"]
    assert "over its control" not in checked(simulated(shared=0.1), "zero-shot").index
