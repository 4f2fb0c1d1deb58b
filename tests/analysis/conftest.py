"""Fixtures of the analysis: simulated scores and their tables, computed once per session."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.tables.correlations import correlations
from analysis.tables.robustness.checks import robustness
from study.results.imported import Imported, ImportedItems, write_import
from study.results.run import Run
from tests.analysis.samples import CONTRASTS, X, Y, few_shot_scores


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


@pytest.fixture(scope="session")
def imported_run(scores: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose scores are imported; task c has four items of two passages in the tuned arm."""
    folder = tmp_path_factory.mktemp("run")
    study = f"name: imported\ncontrasts:\n  - {{name: in-context, x: {X}, y: {Y}}}\n"
    (folder / "study.yaml").write_text(study)
    right = (np.random.default_rng(0).random((12, 4)) < 0.6).astype(float)
    items: dict[str, ImportedItems] = {
        str(row): {"item": [0, 1, 2, 3], "score": right[i].tolist(), "choice": [1, 2, 1, 2]}
        for i, row in enumerate(scores.index[(scores["arm"] == Y) & (scores["task"] == "c")])
    }
    passages = {"c": {0: 10, 1: 10, 2: 20, 3: 20}}
    source = Imported("scores.csv", "d" * 64, "long form", scores, items, passages)
    run = Run.open(folder)
    write_import(run.results / "imports", source, [])
    return run
