"""Exposures by pools."""

from __future__ import annotations

from study.tuning.data.exposure import exposure
from study.tuning.data.sources import Pool


def test_exposure() -> None:
    pools = [Pool("p", "strings", frozenset({"one"}), None, 1, lambda n, rng: [], "")]
    assert exposure(pools, "one", "strings") == "seen_task"
    assert exposure(pools, "one", "other") == "seen_task"
    assert exposure(pools, "two", "strings") == "unseen_task"
    assert exposure(pools, "two", "other") == "unseen_type"
    assert exposure([], "one", "strings") == "unseen_type"
