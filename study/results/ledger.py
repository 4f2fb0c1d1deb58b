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

VERSION = 2
POSITION = ("pair", "role", "arm", "task", "draw")
"Columns that identify a number in the tables."


@dataclass(frozen=True)
class Ledger:
    """The rows of the last plan."""

    study: str
    "Digest of the study that was planned."
    rows: list[dict[str, Any]]
    "One row for each (pair, role, arm, task, draw), with the key of its cell or None."
    passages: dict[str, dict[str, int]]
    "By task and item, a number for the text that items share."
    tuned: dict[str, dict[str, Any]]
    "By pair, the folder of the model that the study tuned, and its recipe's values."


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
    if version != VERSION:
        raise StudyError(
            path,
            "version",
            found=repr(version),
            expected=str(VERSION),
            do=f"Run `study run {folder}` again",
        )
    return Ledger(content["study"], content["rows"], content["passages"], content.get("tuned", {}))
