"""The ledger, `results/plan.json`: which cell holds which number of the tables.

In: the file, which `study.planning.ledger_rows` writes. Out: a `Ledger`, so that results are read
without lm-eval, torch or the models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError

VERSION = 3
READABLE = (2, VERSION)
"""Versions that can be read. Ledgers of version 2 name cells of identity version 1: their scores
can be analysed, and the next plan does not count them."""
POSITION = ("pair", "role", "arm", "task", "draw")
"Columns that identify a number in the tables."


@dataclass(frozen=True)
class Ledger:
    """The rows of the last plan."""

    version: int
    study: str
    "Digest of the study that was planned."
    prompts: str
    "Digest of the part of the study that decides the responses."
    rows: list[dict[str, Any]]
    """One row for each (pair, role, arm, task, draw), with the keys of its cell and of the
    responses that it scores, or None."""
    passages: dict[str, dict[str, int]]
    "By task and item, a number for the text that items share."
    tuned: dict[str, dict[str, Any]]
    "By pair, the folder of the model that the study tuned, and its recipe's values."

    @property
    def is_current(self) -> bool:
        """Whether it was written by this version of the package, or one with the same identity."""
        return self.version == VERSION


def position(row: dict[str, Any]) -> tuple[Any, ...]:
    """The values that identify a ledger row's number in the tables."""
    return tuple(row[name] for name in POSITION)


def read_ledger(path: Path) -> Ledger:
    """Read the file; StudyError if it does not exist or is corrupted."""
    folder = path.parent.parent
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            folder,
            found="no results",
            expected="a run that has been started",
            do=f"Run `study run {folder}` first",
        ) from None
    except ValueError:
        raise StudyError(
            path,
            found="not JSON",
            expected="a plan written by `study run`",
            do=f"Run `study run {folder}` again",
        ) from None
    version = content.get("version") if isinstance(content, dict) else type(content).__name__
    if version not in READABLE:
        raise StudyError(
            path,
            "version",
            found=repr(version),
            expected=str(VERSION),
            do=f"Run `study run {folder}` again",
        )
    return Ledger(
        version,
        content["study"],
        content.get("prompts", ""),
        [{"responses": None, **row} for row in content["rows"]],
        content["passages"],
        content.get("tuned", {}),
    )
