"""Which value of a task is the score, and lm-eval's standard error of it."""

from __future__ import annotations

import statistics

import pytest

from study.scorers.task_metric import metric_and_filter, standard_error
from study.tasks.lm_eval.library import TaskLibrary


def test_a_metric_names_its_filter_where_there_are_several() -> None:
    assert metric_and_filter("acc", {"none": 0}) == ("acc", "none")
    filters = {"strict-match": 0, "flexible-extract": 0}
    assert metric_and_filter("exact_match,strict-match", filters) == (
        "exact_match",
        "strict-match",
    )
    with pytest.raises(ValueError, match="'exact_match' names no filter; the task has strict-m"):
        metric_and_filter("exact_match", filters)
    with pytest.raises(ValueError, match="no filter 'other'; the task has none"):
        metric_and_filter("acc,other", {"none": 0})


def test_the_standard_error_of_a_mean() -> None:
    task = TaskLibrary().load("zoo_colour_mc")
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    expected = statistics.stdev(values) / len(values) ** 0.5
    assert standard_error(task, "acc", values, 1.0) == pytest.approx(expected)
    assert standard_error(task, "acc", values, 0.01) == pytest.approx(0.01 * expected)
    assert standard_error(task, "acc", [1.0], 1.0) is None
