"""The vocabulary of `covers`."""

from __future__ import annotations

from analysis.statistics.interval import FAMILY_NOISE, SOURCES, join_noise


def test_sources_are_joined_in_one_order() -> None:
    assert SOURCES == ("items", "draws", "seeds", "tasks", "families")
    assert join_noise(FAMILY_NOISE) == "items+draws+families"
    assert join_noise(["families", "seeds", "items"]) == "items+seeds+families"
    assert join_noise([]) == ""
