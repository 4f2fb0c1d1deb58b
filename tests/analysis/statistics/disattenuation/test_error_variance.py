"""Variance components of simulated scores."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.disattenuation.error_variance import variance_components


def test_components_are_those_that_were_simulated() -> None:
    rng = np.random.default_rng(0)
    models, draws, items = 60, 8, 300
    parts = (
        rng.normal(size=(models, 1, 1)),
        rng.normal(size=(1, draws, 1)),
        rng.normal(size=(1, 1, items)),
        0.7 * rng.normal(size=(models, 1, items)),
        0.3 * rng.normal(size=(models, draws, 1)),
        0.2 * rng.normal(size=(1, draws, items)),
        0.5 * rng.normal(size=(models, draws, items)),
    )
    result = variance_components(sum(parts, start=np.zeros((models, draws, items))))
    assert result.model_item == pytest.approx(0.49, rel=0.05)
    assert result.model_draw == pytest.approx(0.09, rel=0.25)
    assert result.residual == pytest.approx(0.25, rel=0.05)
    expected = 0.09 / 8 + 0.49 / 300 + 0.25 / 2400
    assert result.of_mean == pytest.approx(expected, rel=0.25)
    alone = variance_components(rng.normal(size=(5, 1, 20)))
    assert np.isnan(alone.model_draw)
