"""Logged items of lm-eval: scores, choices and passages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.config.tasks import ListedTask
from study.errors import StudyError
from study.exchange.read_lm_eval_samples import read_samples
from study.results.schema import text_code
from tests.study.exchange.score_files import imported_lm_eval, write_lm_eval_results

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
    samples = read_samples(_write(tmp_path, [sample, other]), task, "strict")
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


LINES: dict[str, tuple[bytes, str]] = {
    "no score": (b'{"doc_id": 1}', "line 2: acc_norm: found nothing; expected a number"),
    "truncated": (b'{"doc_id": 1, "acc_norm": 1.0, "re', r"line 2: found not JSON"),
    "no UTF-8": (b'{"doc_id": 1, "acc_norm": 1.0, "a": "\xff"}', r"line 2: found not JSON .*utf-8"),
    "nested": (b'{"a": ' + b"[" * 100_000, "line 2: found brackets nested too deeply"),
    "repeated key": (b'{"doc_id": 1, "doc_id": 3}', "line 2: found .*'doc_id' stands twice"),
    "repeated item": (json.dumps(SAMPLES[0]).encode(), "line 2: doc_id: found 2; expected each"),
    "half an item": (b'{"doc_id": 1.5}', r"line 2: doc_id: found 1\.5; expected a whole number"),
    "negative item": (b'{"doc_id": -1}', "line 2: doc_id: found -1; expected a whole number"),
    "true for an item": (b'{"doc_id": true}', "line 2: doc_id: found True"),
    "NaN": (b'{"doc_id": 1, "acc_norm": NaN}', "line 2: acc_norm: found nan; expected a finite"),
    "text": (b'{"doc_id": 1, "acc_norm": "1"}', "line 2: acc_norm: found '1'; expected a number"),
    "a list once": (b'{"doc_id": 1, "acc_norm": [1]}', "found 1 of 2 items without a number"),
    "no mapping": (b"[]", "line 2: found a list of 0; expected a mapping"),
    "response": (
        b'{"doc_id": 1, "acc_norm": 1, "resps": [[["x"]], [["y"]]]}',
        "line 2: resps: found a list of 2; expected a log-probability of each option",
    ),
}


@pytest.mark.parametrize("fault", LINES)
def test_an_invalid_line_is_named(fault: str, tmp_path: Path) -> None:
    line, message = LINES[fault]
    path = _write(tmp_path, SAMPLES[:1])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(StudyError, match=message):
        read_samples(path, TASK)


def test_a_passage_is_needed_where_the_task_has_passages(tmp_path: Path) -> None:
    task = TASK.model_copy(update={"passage": "context"})
    with pytest.raises(StudyError, match=r"line 1: doc\.context: found nothing"):
        read_samples(_write(tmp_path, SAMPLES), task)


def test_lines_end_in_line_feeds_alone(tmp_path: Path) -> None:
    sample = {**SAMPLES[0], "doc": {"text": "one\u2028two\x85three\x0cfour"}}
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(sample, ensure_ascii=False) + "\r\n\n", encoding="utf-8")
    samples = read_samples(path, TASK)
    assert samples is not None
    assert samples.items["item"] == [2]


def test_true_and_false_are_scores_of_items(tmp_path: Path) -> None:
    path = _write(tmp_path, [{**SAMPLES[0], "acc_norm": True}, {**SAMPLES[1], "acc_norm": False}])
    samples = read_samples(path, TASK)
    assert samples is not None
    assert samples.items["score"] == [0.0, 1.0]


def _results(folder: Path, score: float, n_items: int) -> Path:
    counts = {"arc_challenge": {"original": n_items, "effective": n_items}}
    result = {"arc_challenge": {"acc_norm,none": score}}
    return write_lm_eval_results(folder, results=result, **{"n-samples": counts})


def test_items_beside_results_are_imported_with_each_row(tmp_path: Path) -> None:
    out = _results(tmp_path / "out", 0.5, 2)
    _write(out, SAMPLES)
    imported = imported_lm_eval(out)
    assert set(imported.items) == {str(row) for row in range(len(imported.rows))}
    assert imported.items["0"]["item"] == [0, 2]
    assert set(imported.rows["n_items"]) == {2}


def test_items_that_contradict_the_score_are_refused_with_both(tmp_path: Path) -> None:
    out = _results(tmp_path / "out", 0.55, 2)
    path = _write(out, SAMPLES)
    with pytest.raises(
        StudyError,
        match=rf"{path.name}: found items with a mean of 0\.5; expected 0\.55, the score that "
        r"results_2026-01-01T00-00-00\.json reports",
    ):
        imported_lm_eval(out)


def test_missing_items_are_refused(tmp_path: Path) -> None:
    out = _results(tmp_path / "out", 0.5, 4)
    _write(out, SAMPLES)
    with pytest.raises(StudyError, match="found 2 items; expected 4, the number that results_"):
        imported_lm_eval(out)
