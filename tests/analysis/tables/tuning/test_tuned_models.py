"""Records of tuned models, their losses, and the scores of turns."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.data.loss_curves import loss_curves
from analysis.tables.tuning.tuned_models import COLUMNS, tuned_models
from analysis.tables.tuning.turn_scores import turn_scores
from study.errors import StudyError
from study.results.run import Run


def test_finished_models_have_a_row(tuning_run: Run) -> None:
    table = tuned_models(tuning_run)
    assert list(table.columns) == COLUMNS
    assert list(table["pair"]) == ["one", "two"]
    assert table["dropped"].tolist() == [3, 3]
    assert table["loss_tokens"].tolist() == [50, 50]


def test_a_corrupted_record_is_an_error(tuning_run: Run) -> None:
    path = Path(tuning_run.ledger.tuned["two"]["folder"]) / "tuning.json"
    path.write_text("{}")
    with pytest.raises(StudyError, match=r"two/tuning\.json: found KeyError"):
        tuned_models(tuning_run)


def test_loss_curves_are_those_of_all_finished_models(tuning_run: Run) -> None:
    curves = loss_curves(tuning_run)
    assert curves["pair"].tolist() == ["one", "one", "two", "two"]
    assert curves["loss"].tolist() == [3.0, 2.0, 3.0, 2.0]


def test_turns_of_a_mixture_are_read_once(tuning_run: Run) -> None:
    turns = turn_scores(tuning_run)
    assert turns.to_dict("records") == [
        {"mixture": "short", "indicator": "none", "source": "a", "score": 0.5, "marked": 1}
    ]


def test_a_run_without_tuned_models_has_empty_tables(tuning_run: Run) -> None:
    tuning_run.ledger.tuned.clear()
    for table in (tuned_models(tuning_run), loss_curves(tuning_run), turn_scores(tuning_run)):
        assert table.empty
        assert len(table.columns)
