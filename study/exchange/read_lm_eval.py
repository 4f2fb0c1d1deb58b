"""Reads what lm-eval 0.4.x writes: `results_*.json`, and `samples_*.jsonl` beside it.

In: a file or folder of lm-eval's, and the study that it is for. Out: `Imported`. Shots, the chat
template, standard errors and item scores are lm-eval's own; the model's pair is recognised through
the study's pairs and the registry, or given; type, metric and chance are those of the study's tasks
or of a suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.arms import parse_arm
from study.config.entries import ListedTask
from study.config.study import Study
from study.errors import StudyError, listed, nearest
from study.exchange.read_lm_eval_samples import Samples, read_samples
from study.models.pairs import Pair, registry, study_pairs, zoo
from study.results.imported import Imported, ImportedItems, digest_of, typed
from study.tasks.suites import known_tasks, study_tasks


@dataclass(frozen=True)
class Given:
    """What the user says of a model that nothing knows."""

    pair: str
    role: str
    family: str
    params_b: float


def read_lm_eval(path: Path, study: Study, run: Path, given: Given | None = None) -> Imported:
    """All results in a folder, or of one file; StudyError if one cannot be placed."""
    files = [path] if path.is_file() else sorted(path.rglob("results_*.json"))
    if not files:
        raise StudyError(path, found="no results_*.json", expected="what lm-eval wrote")
    tasks = known_tasks()
    if study.tasks:
        tasks |= {task.task: task for task in study_tasks(study, run)}
    pairs = [*(study_pairs(study, run) if study.pairs else ()), *registry(), *zoo()]
    rows: list[dict[str, Any]] = []
    items: dict[str, ImportedItems] = {}
    passages: dict[str, dict[int, int]] = {}
    read = list(files)
    for file in files:
        content = _json(file)
        members = _members(file, content, pairs, given)
        for name, found in content["results"].items():
            if name in content.get("group_subtasks", {}) and not _has_samples(content, name):
                continue  # a group's mean over its tasks, which stand for themselves
            if name not in tasks:
                raise StudyError(
                    file,
                    f"results.{name}",
                    found="a task of no suite",
                    expected="one whose type, metric and chance are known",
                    do="List it under `tasks` in study.yaml. " + nearest(name, tasks),
                )
            task = tasks[name]
            score = _score(file, found, task)
            samples = _samples(file, name, task)
            if samples is not None:
                read.append(samples.path)
                passages |= {name: samples.passages} if samples.passages else {}
            for pair, role in members:
                if samples is not None:
                    items[str(len(rows))] = samples.items
                rows.append(_row(file, content, name, task, pair, role, score))
    table = typed(pd.DataFrame(rows))
    return Imported(str(path), digest_of(read), "lm-eval results", table, items, passages)


def _json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(file, found=f"not JSON ({error})", expected="lm-eval's results") from None
    for key in ("results", "n-shot"):
        if not isinstance(content, dict) or key not in content:
            raise StudyError(file, key, found="no such key", expected="lm-eval's results")
    return content


def _members(
    file: Path, content: dict[str, Any], pairs: Sequence[Pair], given: Given | None
) -> list[tuple[Pair | Given, str]]:
    """(pair, role) of the model; a base stands for each of its pairs."""
    if given is not None:
        return [(given, given.role)]
    arguments = content.get("config", {}).get("model_args") or {}
    named = arguments.get("pretrained") if isinstance(arguments, dict) else None
    model = str(named or content.get("model_name") or "")
    found: dict[tuple[str, str], tuple[Pair, str]] = {}
    for pair in pairs:
        for role in ("base", "tuned"):
            path = pair.member(role).path
            same_folder = Path(path).is_absolute() and Path(model).resolve() == Path(path)
            if path == model or same_folder:
                found.setdefault((pair.name, role), (pair, role))
    if not found:
        near = nearest(model, [pair.member(r).path for pair in pairs for r in ("base", "tuned")])
        raise StudyError(
            file,
            "model_name",
            found=f"{model!r}, a model of no pair that is known",
            expected="a model of the study's pairs or of the registry",
            do=f"Say whose it is: --pair, --role, --family, --params-b. {near}".strip(),
        )
    return list(found.values())


def _score(file: Path, found: dict[str, Any], task: ListedTask) -> dict[str, Any]:
    """The task's metric, scaled to a fraction, and its standard error."""
    metric, _, wanted = task.metric.partition(",")
    keys = [
        key for key in found if key.split(",")[0] == metric and (not wanted or key == task.metric)
    ]
    if len(keys) != 1:
        raise StudyError(
            file,
            f"results.{task.task}",
            found=listed([key for key in found if "," in key and "_stderr" not in key]),
            expected=f"the metric {task.metric!r} once",
        )
    stderr = found.get(keys[0].replace(metric, f"{metric}_stderr", 1))
    known = isinstance(stderr, int | float)
    score = float(found[keys[0]]) * task.scale
    if not 0 <= score <= 1:
        raise StudyError(file, f"results.{task.task}.{keys[0]}", found=score,
                         expected="a fraction from 0 to 1",
                         do="Give the task a `scale` in study.yaml")  # fmt: skip
    return {"score": score, "stderr": float(stderr) * task.scale if known else None}  # type: ignore[arg-type]


def _row(
    file: Path,
    content: dict[str, Any],
    name: str,
    task: ListedTask,
    pair: Pair | Given,
    role: str,
    score: dict[str, Any],
) -> dict[str, Any]:
    arm = f"{role}-{int(content['n-shot'].get(name, 0))}shot"
    if content.get("chat_template"):
        arm += "-chat"
        if not content.get("fewshot_as_multiturn", True) and not arm.startswith(f"{role}-0shot"):
            arm += "-oneturn"
    try:
        shots = parse_arm(arm).shots
    except ValueError as error:
        raise StudyError(file, "chat_template", found=f"arm {arm!r}", expected=str(error)) from None
    counted = content.get("n-samples", {}).get(name, {}).get("effective")
    return {
        "pair": pair.pair if isinstance(pair, Given) else pair.name,
        "family": pair.family,
        "params_b": pair.params_b,
        "model": content.get("model_name", ""),
        "role": role,
        "arm": arm,
        "task": name,
        "task_type": task.task_type,
        "exposure": task.exposure,
        # lm-eval draws demonstrations for every item; that is one draw, of another kind than ours.
        "draw": 0 if shots else None,
        **score,
        "n_items": counted,
        "chance": task.chance,
        "metric": task.metric,
        "source": f"lm-eval {content.get('lm_eval_version', '')}".strip(),
    }


def _has_samples(content: dict[str, Any], name: str) -> bool:
    return name in content.get("n-samples", {})


def _samples(file: Path, name: str, task: ListedTask) -> Samples | None:
    """The items beside the results, where they were logged."""
    path = file.with_name(file.name.replace("results_", f"samples_{name}_")).with_suffix(".jsonl")
    return read_samples(path, task) if path.exists() else None
