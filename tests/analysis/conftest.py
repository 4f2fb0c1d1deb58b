"""Fixtures of the analysis: simulated scores and their tables, computed once per session."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.tables.correlations import correlations
from analysis.tables.robustness.checks import robustness
from tests.analysis.samples import CONTRASTS, few_shot_scores


@pytest.fixture(scope="session")
def scores() -> pd.DataFrame:
    """12 pairs of 5 families, 4 tasks of 2 types, 2 few-shot draws; tests must not change it."""
    return few_shot_scores()


@pytest.fixture(scope="session")
def correlation_table(scores: pd.DataFrame) -> pd.DataFrame:
    return correlations(scores, CONTRASTS)


@pytest.fixture(scope="session")
def robustness_table(scores: pd.DataFrame) -> pd.DataFrame:
    return robustness(scores, CONTRASTS)
