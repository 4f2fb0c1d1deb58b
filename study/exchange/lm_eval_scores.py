"""The score of one task in lm-eval's results, with the items that were logged beside them.

In: the content of a results file, and the task as the study knows it. Out: `TaskScore`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from study.config.tasks import ListedTask
from study.errors import StudyError, listed
from study.exchange.json_values import JsonValue
from study.exchange.read_lm_eval_samples import Samples, read_samples
from study.exchange.score_ranges import ScoreRanges

PREFIX = "results_"
"Beginning of a results file's name."


@dataclass(frozen=True)
class TaskScore:
    """What the results say of one task, on the scale of the study."""

    score: float
    stderr: float | None
    n_items: int | None
    samples: Samples | None
    "None where no items were logged, or the metric has no values by item."


def task_score(
    results: JsonValue, result: JsonValue, task: ListedTask, ranges: ScoreRanges
) -> TaskScore:
    """The task's metric, scaled to a fraction, its standard error and its items.

    StudyError if the metric is not there, out of its range, or not the mean of the items.
    """
    key = _key(result, task)
    metric, _, filter_name = key.partition(",")
    score = result.get(key).number() * task.scale
    if problem := ranges.problem(score, task.task, task.metric):
        scale = "Percentages need `scale: 0.01` in the task's entry in study.yaml"
        raise result.get(key).error(problem, do=f"{scale}. {ranges.remedy(task.metric)}")
    better = results.get("higher_is_better").get(task.task).get(metric)
    if not better.flag(otherwise=True):
        raise better.error("a metric in which more is better")
    n_items = _n_items(results.get("n-samples").get(task.task))
    samples = _samples(result.path, task, filter_name or "none")
    if samples is not None:
        samples.check_score(result.path, score, n_items)
        n_items = len(samples.items["item"])
    return TaskScore(score, _stderr(result, key, task, ranges), n_items, samples)


def _key(result: JsonValue, task: ListedTask) -> str:
    """The key of the task's metric, `metric,filter`."""
    metric, _, wanted = task.metric.partition(",")
    keys = [
        key
        for key in result.mapping()
        if key.split(",")[0] == metric and (not wanted or key == task.metric)
    ]
    if len(keys) != 1:
        found = listed([key for key in result.mapping() if "," in key and "_stderr" not in key])
        expected = f"the metric {task.metric!r} once"
        raise StudyError(result.path, result.place, found=found or "no metric", expected=expected)
    return keys[0]


def _stderr(result: JsonValue, key: str, task: ListedTask, ranges: ScoreRanges) -> float | None:
    metric, comma, filter_name = key.partition(",")
    value = result.get(f"{metric}_stderr{comma}{filter_name}")
    if value.value is None or value.value == "N/A":
        return None
    stderr = value.number() * task.scale
    low, high = ranges.range_of(task.task, task.metric)
    if not 0 <= stderr <= high - low:
        raise value.error("a standard error on the scale of the score, or 'N/A'")
    return stderr


def _n_items(counts: JsonValue) -> int | None:
    effective, original = counts.get("effective"), counts.get("original")
    if effective.value is None:
        return None
    number = effective.whole(least=1)
    if original.value is not None and original.whole(least=1) < number:
        raise effective.error(f"at most {original.value}, the items of the task")
    return number


def _samples(file: Path, task: ListedTask, filter_name: str) -> Samples | None:
    """The items logged beside the results, if they were."""
    if not file.name.startswith(PREFIX):
        return None
    path = file.with_name(f"samples_{task.task}_{file.stem.removeprefix(PREFIX)}.jsonl")
    return read_samples(path, task, filter_name) if path.is_file() else None
