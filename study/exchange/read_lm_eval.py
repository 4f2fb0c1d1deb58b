"""Reading what lm-eval 0.4.x writes: `results_*.json`, and `samples_*.jsonl` beside it.

In: a file or folder of lm-eval's, and the study that it is imported into. Out: `Imported`. Shots,
chat template, standard errors and item scores are lm-eval's own. The model's pair is found among
the study's pairs and in the registry, or given by the user; type, metric and chance are those of
the study's tasks or of a suite. Items whose mean is not the reported score are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.study import Study
from study.config.tasks import ListedTask
from study.csv_text import MAX_CELL
from study.errors import StudyError, listed, nearest
from study.exchange.json_values import JsonValue, read_json
from study.exchange.lm_eval_models import GivenPair, Member, known_pairs, members, model_of
from study.exchange.lm_eval_scores import TaskScore, task_score
from study.exchange.read_lm_eval_samples import Samples
from study.exchange.score_ranges import ScoreRanges
from study.models.pairs import Pair
from study.results.imported import Imported, ImportedItems, check_unique, digest_of, typed
from study.tasks.prompt_forms import check_arm
from study.tasks.suites import known_tasks


@dataclass(frozen=True)
class _Reader:
    """What is known before results are read."""

    study: Study
    tasks: dict[str, ListedTask]
    pairs: Sequence[Pair]
    ranges: ScoreRanges
    given: GivenPair | None

    def rows(self, file: Path) -> Iterator[tuple[dict[str, Any], Samples | None]]:
        """A row of scores for each task and pair of a file, with the items of the score."""
        results = read_json(file)
        for key in ("results", "n-shot"):
            if not results.get(key).mapping():
                raise results.get(key).error("lm-eval's results")
        placed = members(results, self.pairs, self.given)
        for name, result in results.get("results").items():
            sampled = name in results.get("n-samples").mapping()
            if results.get("group_subtasks").get(name).list_of(str) and not sampled:
                continue  # the mean of a group of tasks, which are imported themselves
            task = self._task(result, name)
            score = task_score(results, result, task, self.ranges)
            for member in placed:
                yield self._row(results, task, member, score), score.samples

    def _task(self, result: JsonValue, name: str) -> ListedTask:
        if name not in self.tasks:
            raise StudyError(
                result.path,
                result.place,
                found="a task of no suite",
                expected="one whose type, metric and chance are known",
                do="List it under `tasks` in study.yaml. " + nearest(name, self.tasks),
            )
        return self.tasks[name]

    def _row(
        self, results: JsonValue, task: ListedTask, member: Member, score: TaskScore
    ) -> dict[str, Any]:
        pair, role = member
        arm, draw = self._arm_and_draw(results, task.task, role)
        return {
            "pair": pair.name,
            "family": pair.family,
            "params_b": pair.params_b,
            "model": model_of(results),
            "role": role,
            "arm": arm,
            "task": task.task,
            "task_type": task.task_type,
            "exposure": task.exposure,
            "draw": draw,
            "score": score.score,
            "stderr": score.stderr,
            "n_items": score.n_items,
            "chance": task.chance,
            "metric": task.metric,
            "source": _source(results),
        }

    def _arm_and_draw(self, results: JsonValue, task: str, role: str) -> tuple[str, int | None]:
        """The arm, and the draw; results that `study export` wrote say both."""
        stated, config = results.get("config").get("arm"), results.get("config")
        place, draw = stated, config.get("draw").value
        if stated.value is None:
            place, draw = results.get("chat_template"), None
            name = _arm_name(results, task, role)
        else:
            name = stated.text()
            draw = None if draw is None else config.get("draw").whole()
        try:
            arm = self.study.published_arms.get(name) or check_arm(name)
        except ValueError as error:
            raise StudyError(
                place.path, place.place, found=f"arm {name!r}", expected=str(error)
            ) from None
        if arm.role != role:
            raise place.error(f"an arm of a {role} model")
        shots = results.get("n-shot").get(task)
        if arm.shots is not None and shots.value is not None and shots.whole() != arm.shots:
            raise shots.error(f"{arm.shots}, as in the arm {name!r}")
        # lm-eval draws demonstrations for each item; that is one draw, of another kind than ours.
        return name, 0 if stated.value is None and arm.shots else draw


def read_lm_eval(
    path: Path, study: Study, ranges: ScoreRanges, given: GivenPair | None = None
) -> Imported:
    """All results in a folder or a file; StudyError if a model or a task is unknown."""
    files = [path] if path.is_file() else sorted(path.rglob("results_*.json"))
    if not files:
        raise StudyError(path, found="no results_*.json", expected="what lm-eval wrote")
    if given is not None:
        _check_one_model(path, files)
    reader = _Reader(study, {**known_tasks(), **ranges.tasks}, known_pairs(study), ranges, given)
    rows: list[dict[str, Any]] = []
    items: dict[str, ImportedItems] = {}
    passages: dict[str, dict[int, int]] = {}
    sources = list(files)
    for file in files:
        for row, samples in reader.rows(file):
            if samples is not None:
                sources.append(samples.path)
                items[str(len(rows))] = samples.items
                _add_passages(passages, row["task"], samples)
            rows.append({**row, "_origin": str(file)})
    if not rows:
        raise StudyError(path, found="no score of a task", expected="what lm-eval wrote")
    frame = pd.DataFrame(rows)
    table = typed(frame)
    check_unique([table.assign(_origin=frame["_origin"])])
    digest = digest_of(list(dict.fromkeys(sources)))
    return Imported(str(path), digest, "lm-eval results", table, items, passages)


def _check_one_model(path: Path, files: Sequence[Path]) -> None:
    models = sorted({model_of(read_json(file)) for file in files})
    if len(models) > 1:
        raise StudyError(
            path,
            found=f"results of {len(models)} models: {listed(models)}",
            expected="those of one model with --pair",
            do="Import each model's results on their own",
        )


def _add_passages(passages: dict[str, dict[int, int]], task: str, samples: Samples) -> None:
    """Add a file's passages; StudyError if an item has another passage in another file."""
    known = passages.setdefault(task, {}) if samples.passages else {}
    for item, code in samples.passages.items():
        if known.setdefault(item, code) != code:
            raise StudyError(
                samples.path,
                found=f"another passage for item {item} of {task} than in other files",
                expected="the same items in all files",
            )


def _arm_name(results: JsonValue, task: str, role: str) -> str:
    shots = results.get("n-shot").get(task)
    if task not in results.get("n-shot").mapping():
        raise shots.error("the number of demonstrations")
    number = 0 if shots.value is None else shots.whole()
    name = f"{role}-{number}shot"
    if results.get("chat_template").text():
        name += "-chat"
        if not results.get("fewshot_as_multiturn").flag(otherwise=True) and number:
            name += "-oneturn"
    return name


def _source(results: JsonValue) -> str:
    """Where the scores come from: what `study export` says of its own, otherwise lm-eval."""
    exported, version = results.get("config").get("source"), results.get("lm_eval_version")
    place = version if exported.value is None else exported
    text = place.text()
    if len(text) > MAX_CELL or text != text.strip() or not text.isprintable():
        raise place.error("a text of one line")
    return f"lm-eval {text}".strip() if exported.value is None else text
