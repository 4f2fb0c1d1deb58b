"""Ranges of metrics: known, given by the user, or said of a task."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from study.config.tasks import ListedTask
from study.errors import StudyError
from study.exchange.score_ranges import RANGES, ScoreRanges
from tests.study.exchange.score_files import PUBLISHED


def test_ranges_of_known_metrics() -> None:
    ranges = ScoreRanges()
    assert ranges.range_of("t", "acc_norm,none") == (0, 1)
    assert ranges.range_of("t", "acc|best_prompt") == (0, 1)
    assert ranges.range_of("t", "MCC") == (-1, 1)
    assert ranges.problem(-0.2, "t", "mcc") == ""
    assert ranges.problem(-0.2, "t", "acc") == "a score of 'acc' from 0 to 1"
    assert ranges.problem(1.01, "t", "mcc") == "a score of 'mcc' from -1 to 1"
    assert all(low < high == 1 for low, high in RANGES.values())


def test_unknown_metrics_are_fractions_unless_the_user_says_otherwise() -> None:
    assert ScoreRanges().problem(-0.2, "t", "") == "a score from 0 to 1"
    assert "--range LOWEST HIGHEST" in ScoreRanges().remedy("mine")
    given = ScoreRanges.of(PUBLISHED, (-1.0, 1.0))
    assert given.problem(-0.2, "t", "mine") == ""
    assert given.problem(-0.2, "t", "acc") == "a score of 'acc' from 0 to 1"
    assert "--range" not in given.remedy("acc")


def test_a_task_may_have_a_range_of_its_own() -> None:
    task = ListedTask(task="t", task_type="k", metric="acc", chance=0, range=[-0.5, 1])
    study = PUBLISHED.model_copy(update={"tasks": [task]})
    ranges = ScoreRanges.of(study)
    assert ranges.problem(-0.2, "t", "acc") == ""
    assert ranges.problem(-0.6, "t", "acc") == "a score of 'acc' from -0.5 to 1"
    assert ranges.problem(-0.2, "u", "acc") != ""


def test_errors_are_no_scores() -> None:
    assert ScoreRanges().problem(0.5, "t", "brier_score") == "a metric in which more is better"


@pytest.mark.parametrize(
    "value",
    [(1.0, 0.0), (0.0, 100.0), (float("-inf"), 1.0), (float("nan"), 1.0), (0.0, float("nan"))],
)
def test_what_is_no_range(value: tuple[float, float]) -> None:
    with pytest.raises(StudyError, match=r"--range: found .*the lowest below the highest"):
        ScoreRanges.of(PUBLISHED, value)
    with pytest.raises(ValidationError, match=r"the lowest below the highest|a finite number"):
        ListedTask(task="t", task_type="k", metric="acc", chance=0, range=list(value))
