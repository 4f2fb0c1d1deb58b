"""Standard errors over items and clusters of items: Miller 2024 (arXiv 2411.00640)."""

from __future__ import annotations

import math

import pytest

from analysis.statistics.items.clustered_errors import paired_standard_error, standard_error


def test_standard_errors() -> None:
    s, clusters = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0], [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]
    assert standard_error(s) == pytest.approx(0.1666667, abs=5e-8)
    plain = standard_error(s, clusters=clusters, few_clusters=False)
    assert plain == pytest.approx(0.2549510, abs=5e-8)
    assert standard_error(s, clusters=clusters) == pytest.approx(0.2943920, abs=5e-8)
    alone = standard_error(s, clusters=range(10), few_clusters=False)
    assert alone == pytest.approx(standard_error(s) * math.sqrt(9 / 10))
    assert paired_standard_error(s, s) == 0
    assert math.isnan(standard_error([1.0]))
    assert math.isnan(standard_error(s, clusters=[0] * 10))
