"""Reading what lm-eval 0.4.x writes: `results_*.json`, and `samples_*.jsonl` beside it.

In: a file or folder of lm-eval's, and the study that it is imported into. Out: `Imported`. Shots,
chat template, standard errors and item scores are lm-eval's own. The model's pair is found among
the study's pairs and in the registry, or given by the user; type, metric and chance are those of
the study's tasks or of a suite.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.arms import ROLES, parse_arm
from study.config.study import Study
from study.config.tasks import ListedTask
from study.errors import StudyError, listed, nearest
from study.exchange.read_lm_eval_samples import Samples, read_samples
from study.models.pairs import Pair, registry, study_pairs, zoo
from study.results.imported import Imported, ImportedItems, digest_of, typed
from study.tasks.suites import known_tasks, study_tasks


@dataclass(frozen=True)
class GivenPair:
    """What the user says about a model of no known pair."""

    pair: str
    role: str
    family: str
    params_b: float


def read_lm_eval(path: Path, study: Study, given: GivenPair | None = None) -> Imported:
    """All results in a folder or a file; StudyError if a model or a task is unknown."""
    files = [path] if path.is_file() else sorted(path.rglob("results_*.json"))
    if not files:
        raise StudyError(path, found="no results_*.json", expected="what lm-eval wrote")
    tasks = known_tasks()
    if study.tasks:
        tasks |= {task.task: task for task in study_tasks(study)}
    pairs = [*(study_pairs(study) if study.pairs else ()), *registry(), *zoo()]
    rows: list[dict[str, Any]] = []
    items: dict[str, ImportedItems] = {}
    passages: dict[str, dict[int, int]] = {}
    sources = list(files)
    for file in files:
        content = _read_json(file)
        members = _members(file, content, pairs, given)
        for name, result in content["results"].items():
            if name in content.get("group_subtasks", {}) and not _has_samples(content, name):
                continue  # the mean of a group of tasks, which are imported themselves
            task = _known_task(file, name, tasks)
            score = _score(file, result, task)
            samples = _samples(file, name, task)
            if samples is not None:
                sources.append(samples.path)
                passages |= {name: samples.passages} if samples.passages else {}
            for pair, role in members:
                if samples is not None:
                    items[str(len(rows))] = samples.items
                rows.append(_row(file, content, name, task, pair, role, score))
    table = typed(pd.DataFrame(rows))
    return Imported(str(path), digest_of(sources), "lm-eval results", table, items, passages)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(file, found=f"not JSON ({error})", expected="lm-eval's results") from None
    for key in ("results", "n-shot"):
        if not isinstance(content, dict) or key not in content:
            raise StudyError(file, key, found="no such key", expected="lm-eval's results")
    return content


def _known_task(file: Path, name: str, tasks: dict[str, ListedTask]) -> ListedTask:
    if name not in tasks:
        raise StudyError(
            file,
            f"results.{name}",
            found="a task of no suite",
            expected="one whose type, metric and chance are known",
            do="List it under `tasks` in study.yaml. " + nearest(name, tasks),
        )
    return tasks[name]


def _members(
    file: Path, content: dict[str, Any], pairs: Sequence[Pair], given: GivenPair | None
) -> list[tuple[Pair | GivenPair, str]]:
    """(pair, role) of the results' model; a base model is a member of several pairs."""
    if given is not None:
        return [(given, given.role)]
    arguments = content.get("config", {}).get("model_args") or {}
    named = arguments.get("pretrained") if isinstance(arguments, dict) else None
    model = str(named or content.get("model_name") or "")
    members: dict[tuple[str, str], tuple[Pair, str]] = {}
    for pair in pairs:
        for role in ROLES:
            path = pair.member(role).path
            same_folder = Path(path).is_absolute() and Path(model).resolve() == Path(path)
            if path == model or same_folder:
                members.setdefault((pair.name, role), (pair, role))
    if not members:
        near = nearest(model, [pair.member(role).path for pair in pairs for role in ROLES])
        raise StudyError(
            file,
            "model_name",
            found=f"{model!r}, a model of no known pair",
            expected="a model of the study's pairs or of the registry",
            do=f"Name its pair: --pair, --role, --family, --params-b. {near}".strip(),
        )
    return list(members.values())


def _score(file: Path, result: dict[str, Any], task: ListedTask) -> dict[str, Any]:
    """The task's metric, scaled to a fraction, and its standard error."""
    metric, _, wanted = task.metric.partition(",")
    keys = [
        key for key in result if key.split(",")[0] == metric and (not wanted or key == task.metric)
    ]
    if len(keys) != 1:
        raise StudyError(
            file,
            f"results.{task.task}",
            found=listed([key for key in result if "," in key and "_stderr" not in key]),
            expected=f"the metric {task.metric!r} once",
        )
    score = float(result[keys[0]]) * task.scale
    if not 0 <= score <= 1:
        raise StudyError(
            file,
            f"results.{task.task}.{keys[0]}",
            found=score,
            expected="a fraction from 0 to 1",
            do="Give the task a `scale` in study.yaml",
        )
    stderr = result.get(keys[0].replace(metric, f"{metric}_stderr", 1))
    known = isinstance(stderr, int | float)
    return {"score": score, "stderr": float(stderr) * task.scale if known else None}  # type: ignore[arg-type]


def _row(
    file: Path,
    content: dict[str, Any],
    name: str,
    task: ListedTask,
    pair: Pair | GivenPair,
    role: str,
    score: dict[str, Any],
) -> dict[str, Any]:
    arm = _arm_name(content, name, role)
    try:
        shots = parse_arm(arm).shots
    except ValueError as error:
        raise StudyError(file, "chat_template", found=f"arm {arm!r}", expected=str(error)) from None
    return {
        "pair": pair.pair if isinstance(pair, GivenPair) else pair.name,
        "family": pair.family,
        "params_b": pair.params_b,
        "model": content.get("model_name", ""),
        "role": role,
        "arm": arm,
        "task": name,
        "task_type": task.task_type,
        "exposure": task.exposure,
        # lm-eval draws demonstrations for each item; that is one draw, of another kind than ours.
        "draw": 0 if shots else None,
        **score,
        "n_items": content.get("n-samples", {}).get(name, {}).get("effective"),
        "chance": task.chance,
        "metric": task.metric,
        "source": f"lm-eval {content.get('lm_eval_version', '')}".strip(),
    }


def _arm_name(content: dict[str, Any], task: str, role: str) -> str:
    arm = f"{role}-{int(content['n-shot'].get(task, 0))}shot"
    if content.get("chat_template"):
        arm += "-chat"
        if not content.get("fewshot_as_multiturn", True) and not arm.startswith(f"{role}-0shot"):
            arm += "-oneturn"
    return arm


def _has_samples(content: dict[str, Any], name: str) -> bool:
    return name in content.get("n-samples", {})


def _samples(file: Path, name: str, task: ListedTask) -> Samples | None:
    """The items logged beside the results, if they were."""
    path = file.with_name(file.name.replace("results_", f"samples_{name}_")).with_suffix(".jsonl")
    return read_samples(path, task) if path.exists() else None
