"""Scores and contrasts of a run of imported scores."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from analysis.data.items import load_items
from analysis.data.scores import contrasts_of, load_scores, load_with_missing, with_clustered_errors
from analysis.statistics.items.clustered_errors import standard_error
from study.errors import StudyError
from study.results.run import Run
from tests.analysis.samples import X, Y


def test_scores_are_those_that_were_imported(imported_run: Run, scores: pd.DataFrame) -> None:
    loaded, missing = load_with_missing(imported_run)
    assert (missing.cells, missing.planned) == (0, 0)
    pd.testing.assert_frame_equal(loaded, scores)
    pd.testing.assert_frame_equal(load_scores(imported_run.folder), loaded)
    pd.testing.assert_frame_equal(load_scores(str(imported_run.folder)), loaded)


def test_a_contrast_brings_its_zero_shot_control(imported_run: Run) -> None:
    contrasts = [(c.name, c.x, c.y) for c in contrasts_of(imported_run)]
    assert contrasts == [("in-context", X, Y), ("in-context-control", "base-0shot", Y)]


def test_a_run_without_scores_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(
        f"name: empty\ncontrasts:\n  - {{name: c, x: {X}, y: {Y}}}\n"
    )
    with pytest.raises(StudyError, match="found no scores; expected at least one finished cell"):
        load_scores(tmp_path)


def test_standard_errors_are_clustered_by_passage(imported_run: Run, scores: pd.DataFrame) -> None:
    """Task `c` has item scores and passages in the arm Y; nothing else is changed."""
    items = load_items(imported_run)
    clustered = with_clustered_errors(scores, items)
    changed = clustered["stderr"] != scores["stderr"]
    rows = scores.loc[changed, ["task", "arm"]]
    assert set(rows.itertuples(index=False, name=None)) == {("c", Y)}
    task_items = items.of(Y, "c", ["p0"])
    assert task_items is not None
    clusters = items.clusters("c", task_items.items)
    expected = standard_error(task_items.scores[0, 0], clusters=clusters)
    row = (scores["pair"] == "p0") & changed
    assert clustered.loc[row, "stderr"].item() == pytest.approx(expected)
    assert not math.isnan(expected)
