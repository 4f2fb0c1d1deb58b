"""Reading what a mixture is made of.

In: a `Source` of the study file. Out: `Pool`s of `Shown` (a question with its fields, wordings and
answer) or of `Chat` (turns as they stand), each pool one source by name and type.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.tuning.mixtures import Source
from study.config.wording import Fields
from study.errors import StudyError, listed, nearest
from study.tasks.items import normalised
from study.tasks.lm_eval_tasks import Harness
from study.tasks.prompt_forms.documents import answer_of, fields_of
from study.tasks.suites import picked, read_suite

ROLES = ("system", "user", "assistant")
DIGESTED = 64
"Rows of an endless source that stand for it in its digest."


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Shown:
    """A question of a task, with its answer."""

    wordings: tuple[str, ...]
    "The instruction in each of its wordings."
    fields: Fields
    "What a demonstration shows of it."
    answer: str
    before: str = ""
    "What stands before the instruction."


@dataclass(frozen=True)
class Chat:
    """A conversation."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Pool:
    """One source: as many rows as there are, or as many as are asked for."""

    name: str
    task_type: str
    shows: frozenset[str]
    "lm-eval tasks of which it shows something."
    weight: float | None
    size: int | None
    "Rows that there are; None: without end."
    take: Callable[[int, random.Random], list[Shown] | list[Chat]]
    "So many of them, in random order; more than there are: some again."
    digest: str
    "sha256 of its rows; of one without end, of the first that it gives."


def pools(source: Source, harness: Harness, study_file: Path, key: str) -> Iterator[Pool]:
    """The pools of a source; StudyError if it does not exist or holds nothing."""
    if source.zoo is not None:
        yield from _zoo(source, study_file, key)
    elif source.file is not None:
        yield _file(source, study_file, key)
    else:
        tasks = {source.task: source.task_type}
        if source.suite is not None:
            path, suite = read_suite(source.suite, study_file.parent, f"{key}.suite")
            wanted = picked(list(suite.tasks), "task", source.only, path, f"{key}.only")
            tasks = {task.task: task.task_type for task in wanted}
        for name, task_type in tasks.items():
            yield _task(source, str(name), task_type, harness, study_file, key)


def _zoo(source: Source, study_file: Path, key: str) -> Iterator[Pool]:
    from study.zoo.instructions import shown_questions
    from study.zoo.language import SKILLS

    for skill in source.zoo or ():
        if skill not in SKILLS:
            raise StudyError(study_file, f"{key}.zoo", found=repr(skill),
                             expected=f"skills of the zoo, {listed(SKILLS, most=20)}",
                             do=nearest(skill, SKILLS))  # fmt: skip

        def take(number: int, rng: random.Random, skill: str = skill) -> list[Shown]:
            return [
                Shown(*parts)
                for parts in shown_questions(skill, number, rng, context=source.context)
            ]

        tasks = frozenset({f"zoo_{skill}_mc", f"zoo_{skill}_gen"})
        digest = _digest(take(DIGESTED, random.Random("digest")))
        yield Pool(skill, SKILLS[skill].task_type, tasks, source.weight, None, take, digest)


def _task(
    source: Source, name: str, task_type: str, harness: Harness, study_file: Path, key: str
) -> Pool:
    entry = harness.entry(name, study_file)
    where = f"{key}: {name}"
    if not entry.config.get("training_split"):
        raise StudyError(study_file, where, found="a task without a training split",
                         expected="tasks that have one")  # fmt: skip
    task = harness.load(name)
    asked = {normalised(str(task.doc_to_text(doc))) for doc in task.eval_docs}
    rows = [
        _shown(source, task, doc)
        for doc in task.training_docs()
        if normalised(str(task.doc_to_text(doc))) not in asked
    ]
    if not rows:
        raise StudyError(study_file, where, found="nothing in its training split",
                         expected="documents that no test asks about")  # fmt: skip
    shows = frozenset({name, *_same_data(harness, name)})
    return _limited(source.name or name, task_type or name, shows, source.weight, rows)


def _same_data(harness: Harness, name: str) -> Iterator[str]:
    """Tasks of the study's own folders that read the same data set."""
    own = harness.entry(name, Path()).config
    data = (own.get("dataset_path"), own.get("dataset_name"))
    for other in harness.own_tasks():
        config = harness.entry(other, Path()).config
        same = (config.get("dataset_path"), config.get("dataset_name")) == data
        if same and config.get("dataset_kwargs") == own.get("dataset_kwargs") and data[0]:
            yield other


def _shown(source: Source, task: Any, document: dict[str, Any]) -> Shown:
    from lm_eval.utils import apply_template

    texts = [apply_template(text, document) for text in source.wordings]
    asked = tuple(texts) or (str(task.doc_to_text(document)),)
    fields = fields_of(task, document, source.fields)
    return Shown(asked, fields, answer_of(task, document))


def _file(source: Source, study_file: Path, key: str) -> Pool:
    path = study_file.parent / str(source.file)
    rows: list[Chat] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(study_file, f"{key}.file", found=f"{path}: {error}",
                         expected="a file of JSON lines") from None  # fmt: skip
    for number, line in enumerate(lines, start=1):
        if line.strip():
            rows.append(_chat(path, number, line))
    if not rows:
        raise StudyError(path, found="no rows", expected="JSON lines")
    name = source.name or path.stem
    return _limited(name, source.task_type or name, frozenset(source.shows), source.weight, rows)


def _chat(path: Path, number: int, line: str) -> Chat:
    def fault(found: str) -> StudyError:
        expected = (
            "an object with `messages` (each with role and content, the last an assistant's), or "
            "with `instruction`, perhaps `input`, and `output`, all of them texts"
        )
        return StudyError(path, f"line {number}", found=found, expected=expected)

    try:
        row = json.loads(line)
    except ValueError as error:
        raise fault(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise fault(f"a {type(row).__name__}")
    if "messages" not in row:
        parts = [row.get("instruction"), row.get("input", ""), row.get("output")]
        if not all(isinstance(part, str) for part in parts) or not parts[2]:
            raise fault(f"keys {listed(row)}")
        asked = "\n\n".join(part for part in parts[:2] if part)
        return Chat((Turn("user", asked), Turn("assistant", str(parts[2]))))
    turns: list[Turn] = []
    for message in row["messages"] if isinstance(row["messages"], list) else [None]:
        if (
            not isinstance(message, dict)
            or message.get("role") not in ROLES
            or not isinstance(message.get("content"), str)
        ):
            raise fault(f"the message {message!r}"[:200])
        turns.append(Turn(message["role"], message["content"]))
    if not turns or turns[-1].role != "assistant":
        raise fault("a conversation that does not end with an assistant's message")
    return Chat(tuple(turns))


def _limited(
    name: str, task_type: str, shows: frozenset[str], weight: float | None, rows: list[Any]
) -> Pool:
    def take(number: int, rng: random.Random) -> list[Any]:
        taken: list[Any] = []
        while len(taken) < number:  # every row once before any row twice
            taken += rng.sample(rows, min(len(rows), number - len(taken)))
        return taken

    return Pool(name, task_type, shows, weight, len(rows), take, _digest(rows))


def _digest(rows: list[Any]) -> str:
    return hashlib.sha256("\n".join(map(repr, rows)).encode()).hexdigest()
