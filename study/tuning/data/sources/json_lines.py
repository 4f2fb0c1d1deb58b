"""The source `file`: JSON lines with conversations, or with instructions and outputs.

In: a file beside the study file, one object a line. Out: one pool of conversations.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from study.config.study import Study
from study.config.tuning.mixtures import Source
from study.errors import StudyError, listed
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.sources.base import Conversation, Pool, Turn, finite_pool

ROLES = ("system", "user", "assistant")
EXPECTED = (
    "an object with `messages` (each with role and content, the last one an assistant's), or with "
    "`instruction`, optional `input`, and `output`, all of them texts"
)


def read_json_lines(source: Source, study: Study, tasks: TaskLibrary, key: str) -> Iterator[Pool]:
    """The pool of one file; StudyError for a line that is not a conversation."""
    path = study.folder / str(source.file)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise study.error(
            f"{key}.file", found=f"{path}: {error}", expected="a file of JSON lines"
        ) from None
    rows = [
        _conversation(path, number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not rows:
        raise StudyError(path, found="no rows", expected="JSON lines")
    name = source.name or path.stem
    yield finite_pool(source, name, source.task_type or name, frozenset(source.shows), rows)


def _conversation(path: Path, number: int, line: str) -> Conversation:
    def fault(found: str) -> StudyError:
        return StudyError(path, f"line {number}", found=found, expected=EXPECTED)

    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise fault(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise fault(f"a {type(row).__name__}")
    if "messages" in row:
        return Conversation(tuple(_messages(row["messages"], fault)))
    instruction, context, output = row.get("instruction"), row.get("input", ""), row.get("output")
    if not all(isinstance(part, str) for part in (instruction, context, output)) or not output:
        raise fault(f"keys {listed(row)}")
    question = "\n\n".join(part for part in (instruction, context) if part)
    return Conversation((Turn("user", question), Turn("assistant", output)))


def _messages(messages: Any, fault: Callable[[str], StudyError]) -> list[Turn]:
    turns: list[Turn] = []
    for message in messages if isinstance(messages, list) else [None]:
        if (
            not isinstance(message, dict)
            or message.get("role") not in ROLES
            or not isinstance(message.get("content"), str)
        ):
            raise fault(f"the message {message!r}"[:200])
        turns.append(Turn(message["role"], message["content"]))
    if not turns or turns[-1].role != "assistant":
        raise fault("a conversation that does not end with an assistant's message")
    return turns
