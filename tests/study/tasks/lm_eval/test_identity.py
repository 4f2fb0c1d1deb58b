"""Every field of lm-eval's task configuration belongs to prompts, to scores, or has a reason."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pytest
from lm_eval.config.task import FewshotConfig, TaskConfig

from study.tasks.lm_eval.identity import (
    IN_DOCUMENTS,
    SCORING,
    WITHOUT_EFFECT,
    documents_digest,
    plain,
    prompt_configuration,
    scoring_configuration,
)
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalTask

FIELDS = [field.name for field in dataclasses.fields(TaskConfig)]
FEWSHOT_FIELDS = [field.name for field in dataclasses.fields(FewshotConfig)]


@pytest.fixture(scope="module")
def task() -> LmEvalTask:
    return TaskLibrary().load("zoo_colour_gen")


def changed(task: LmEvalTask, /, **values: Any) -> LmEvalTask:
    """The task with other values in its configuration."""
    other: Any = copy.copy(task)
    other._config = copy.copy(task.config)
    for name, value in values.items():
        setattr(other._config, name, value)
    return other  # type: ignore[no-any-return]


def digests(task: LmEvalTask) -> tuple[str, str]:
    return prompt_configuration(task), scoring_configuration(task)


def test_the_fields_with_a_reason_exist() -> None:
    assert set(FIELDS) >= SCORING | IN_DOCUMENTS | WITHOUT_EFFECT
    assert not SCORING & (IN_DOCUMENTS | WITHOUT_EFFECT)


@pytest.mark.parametrize("name", sorted(set(FIELDS) - {"fewshot_config"}))
def test_a_field_moves_the_digest_that_it_belongs_to(name: str, task: LmEvalTask) -> None:
    value = [{"metric": "changed"}] if name == "metric_list" else "changed"
    prompts, scores = digests(task)
    other_prompts, other_scores = digests(changed(task, **{name: value}))
    assert (other_scores != scores) == (name in SCORING)
    has_reason = name in SCORING | IN_DOCUMENTS | WITHOUT_EFFECT
    assert (other_prompts == prompts) == has_reason


@pytest.mark.parametrize("name", FEWSHOT_FIELDS)
def test_a_field_of_demonstrations_moves_the_prompts(name: str, task: LmEvalTask) -> None:
    fewshot = copy.copy(task.config.fewshot_config)  # type: ignore[attr-defined]
    setattr(fewshot, name, "changed")
    other = changed(task, fewshot_config=fewshot)
    in_documents = name in IN_DOCUMENTS or name == "split"
    assert (digests(other) == digests(task)) == in_documents


def test_the_metric_that_makes_further_requests_moves_the_prompts(task: LmEvalTask) -> None:
    further = changed(task, metric_list=[{"metric": "acc_mutual_info"}])
    plain_metric = changed(task, metric_list=[{"metric": "acc"}])
    assert prompt_configuration(further) != prompt_configuration(task)
    assert prompt_configuration(plain_metric) == prompt_configuration(task)


def test_documents_are_digested_with_all_their_fields() -> None:
    document = {"text": "a", "when": dt.date(2026, 1, 1), "image": np.arange(4), "raw": b"x"}
    changes: list[dict[str, Any]] = [
        {"text": "b"},
        {"when": dt.date(2026, 1, 2)},
        {"image": np.arange(4)[::-1].copy()},
        {"image": np.arange(4).reshape(2, 2)},
        {"raw": b"y"},
        {"further": None},
    ]
    digests_of = {documents_digest([{**document, **change}]) for change in changes}
    assert len(digests_of | {documents_digest([document])}) == 1 + len(changes)
    assert documents_digest([document]) == documents_digest([dict(reversed(document.items()))])
    assert documents_digest([{"a": 1}, {"b": 2}]) != documents_digest([{"b": 2}, {"a": 1}])


def test_a_value_that_is_not_plain_data_is_refused() -> None:
    assert plain((1, {2, 1})) == [1, ["1", "2"]]
    with pytest.raises(TypeError, match="a object has no digest"):
        plain(object())
