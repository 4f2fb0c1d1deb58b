"""Logged items of lm-eval: scores, choices and passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.config.study import read_study
from study.config.tasks import ListedTask
from study.errors import StudyError
from study.exchange.read_lm_eval import read_lm_eval
from study.exchange.read_lm_eval_samples import read_samples
from study.results.schema import text_code
from tests.study.exchange.score_files import write_lm_eval_results

TASK = ListedTask(task="arc_challenge", task_type="t", metric="acc_norm", chance=0.25)


def _choice(doc_id: int, score: float, logprobs: list[float], lengths: list[int]) -> dict[str, Any]:
    arguments = {f"gen_args_{i}": {"arg_0": "q", "arg_1": "x" * n} for i, n in enumerate(lengths)}
    return {
        "doc_id": doc_id,
        "doc": {"text": f"passage {doc_id % 2}"},
        "resps": [[[str(value), "False"]] for value in logprobs],
        "arguments": arguments,
        "filter": "none",
        "acc": score,
        "acc_norm": score,
    }


def _write(folder: Path, samples: list[dict[str, Any]]) -> Path:
    path = folder / "samples_arc_challenge_2026-01-01T00-00-00.jsonl"
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    return path


SAMPLES = [_choice(2, 1.0, [-4.0, -5.0], [2, 5]), _choice(0, 0.0, [-1.0, -9.0], [1, 3])]


def test_items_are_in_the_order_of_their_documents(tmp_path: Path) -> None:
    samples = read_samples(_write(tmp_path, SAMPLES), TASK)
    assert samples is not None
    assert samples.items == {"item": [0, 2], "score": [0.0, 1.0], "choice": [0, 1]}
    assert samples.passages == {}


def test_the_choice_is_the_likeliest_as_the_metric_weighs_it(tmp_path: Path) -> None:
    path = _write(tmp_path, SAMPLES)
    by_sum = read_samples(path, TASK.model_copy(update={"metric": "acc"}))
    assert by_sum is not None
    assert by_sum.items["choice"] == [0, 0]


def test_generated_texts_have_a_code_and_scale_applies(tmp_path: Path) -> None:
    sample = {"doc_id": 0, "doc": {}, "resps": [["Paris"]], "filter": "strict", "em": 50.0}
    other = {**sample, "filter": "loose", "em": 0.0}
    task = TASK.model_copy(update={"metric": "em,strict", "scale": 0.01})
    samples = read_samples(_write(tmp_path, [sample, other]), task)
    assert samples is not None
    assert samples.items == {"item": [0], "score": [0.5], "choice": [text_code("Paris")]}


def test_unknown_choices_and_metrics_without_items(tmp_path: Path) -> None:
    unknown = {**SAMPLES[1], "resps": []}
    samples = read_samples(_write(tmp_path, [SAMPLES[0], unknown]), TASK)
    assert samples is not None
    assert samples.items["choice"] is None
    whole = {**SAMPLES[0], "acc_norm": [1, 2]}
    assert read_samples(_write(tmp_path, [whole]), TASK) is None


def test_passages_that_items_share(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"passage": "text"})
    samples = read_samples(_write(tmp_path, SAMPLES), task)
    assert samples is not None
    assert samples.passages == dict.fromkeys((0, 2), text_code("passage 0"))


def test_an_invalid_line_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, [SAMPLES[0], {"doc_id": 1}])
    with pytest.raises(StudyError, match="line 2: found no 'acc_norm'; expected an item's score"):
        read_samples(path, TASK)
    path.write_text("{\n")
    task = TASK.model_copy(update={"passage": "text"})
    with pytest.raises(StudyError, match=r"line 1: found no 'acc_norm' and doc\.text"):
        read_samples(path, task)


def test_items_beside_results_are_imported_with_each_row(folder: Path, tmp_path: Path) -> None:
    out = write_lm_eval_results(tmp_path / "out")
    _write(out, SAMPLES)
    imported = read_lm_eval(out, read_study(folder))
    assert set(imported.items) == {str(row) for row in range(len(imported.rows))}
    assert imported.items["0"]["item"] == [0, 2]
