"""Rows of tuning data before they are mixed, and the pools that they are drawn from.

In: rows. Out: `Pool`, one source by name and task type, from which any number of rows can be drawn.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from study.config.study import Study
from study.config.tuning.mixtures import Source
from study.config.wording import Fields
from study.tasks.lm_eval.library import TaskLibrary

DIGESTED_ROWS = 64
"Number of rows of an unlimited source that enter its digest."


@dataclass(frozen=True)
class Turn:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class TaskExample:
    """A question of a task with its answer, not yet in any format."""

    wordings: tuple[str, ...]
    "The instruction in each of its wordings."
    fields: Fields
    "(name, value) of each field that a demonstration shows."
    answer: str
    prefix: str = ""
    "Text before the instruction."

    def digest_text(self) -> str:
        """The text that enters the pool's digest. It is part of tuned models' keys: never change
        it."""
        return (
            f"Shown(wordings={self.wordings!r}, fields={self.fields!r}, "
            f"answer={self.answer!r}, before={self.prefix!r})"
        )


@dataclass(frozen=True)
class Conversation:
    """A conversation whose turns are given, which no format changes."""

    turns: tuple[Turn, ...]

    def digest_text(self) -> str:
        """The text that enters the pool's digest. It is part of tuned models' keys: never change
        it."""
        turns = [f"Turn(role={turn.role!r}, content={turn.content!r})" for turn in self.turns]
        return f"Chat(turns=({', '.join(turns)}{',' if len(turns) == 1 else ''}))"


PoolRow = TaskExample | Conversation


@dataclass(frozen=True)
class Pool:
    """One source of a mixture."""

    name: str
    task_type: str
    shows: frozenset[str]
    "Names of the lm-eval tasks of which it contains rows."
    weight: float | None
    "Relative share of the mixture; None for a share by size."
    size: int | None
    "Number of rows; None if unlimited."
    draw: Callable[[int, random.Random], Sequence[PoolRow]]
    """Draws a number of rows in random order; if it is larger than `size`, rows are repeated, each
    as often as any other or once more."""
    digest: str
    "sha256 of all rows; of the first `DIGESTED_ROWS` if unlimited."


ReadSource = Callable[[Source, Study, TaskLibrary, str], Iterator[Pool]]
"""Reads the pools of a source. The last argument is the source's key in the study file, for errors;
StudyError if the source does not exist or is empty."""


def finite_pool(
    source: Source, name: str, task_type: str, shows: frozenset[str], rows: Sequence[PoolRow]
) -> Pool:
    """The pool of a source with a fixed list of rows."""

    def draw(number: int, rng: random.Random) -> list[PoolRow]:
        drawn: list[PoolRow] = []
        while len(drawn) < number:  # every row once before any row is repeated
            drawn += rng.sample(rows, min(len(rows), number - len(drawn)))
        return drawn

    return Pool(name, task_type, shows, source.weight, len(rows), draw, rows_digest(rows))


def rows_digest(rows: Sequence[PoolRow]) -> str:
    """sha256 of rows in their order."""
    text = "\n".join(row.digest_text() for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()
