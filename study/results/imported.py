"""Scores that were measured elsewhere, taken into a run.

In: rows in the form of `contract.SCORES`, and where they come from. Out: one file per source under
`results/imports/`, named by its digest and written whole, from which the analysis reads them beside
what the run computed itself. The same number twice is refused, and so are two numbers for one
thing.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from study.errors import StudyError
from study.results.cell_store.store import results_folder
from study.results.files import write_whole
from study.results.schema import SCORES

KEY = ["pair", "role", "arm", "task", "draw"]
"What names a score."


class ImportedItems(TypedDict):
    """The items of one row; lists are one long per item."""

    item: list[int]
    score: list[float]
    choice: list[int] | None
    "The same number for the same answer; None where unknown."


ONE_EACH = (
    ("task", "chance", "chance level for a task"),
    ("task", "task_type", "type for a task"),
    ("pair", "family", "family for a pair"),
    ("pair", "params_b", "number of parameters for a pair"),
)
"(of what, column, in words): what may not differ between rows."


@dataclass(frozen=True)
class Imported:
    """One source's rows and where they come from."""

    origin: str
    digest: str
    "sha256 of the source as it was read."
    form: str
    rows: pd.DataFrame
    items: dict[str, ImportedItems] = field(default_factory=dict)
    "By row number, where there are any."
    passages: dict[str, dict[int, int]] = field(default_factory=dict)
    "By task, a number (`contract.text_code`) for the text that each item asks about."


def write_import(run: Path, imported: Imported) -> Path:
    """Commits a source; StudyError if it holds what is there already."""
    there = list(read_imports(run))
    if any(other.digest == imported.digest for other in there):
        raise StudyError(
            imported.origin,
            found="a file whose content has been imported already",
            expected="each source once",
            do=f"Delete results/imports/{imported.digest[:16]}.json to import it anew",
        )
    own = imported.rows.assign(_origin=imported.origin)
    check_unique([own, *(other.rows.assign(_origin=other.origin) for other in there)])
    content = {
        "origin": imported.origin,
        "digest": imported.digest,
        "form": imported.form,
        "rows": imported.rows.to_csv(index=False),
        "items": imported.items,
        "passages": imported.passages,
    }
    path = imports_folder(run) / f"{imported.digest[:16]}.json"
    write_whole(path, json.dumps(content).encode())
    return path


def read_imports(run: Path) -> Iterator[Imported]:
    """Everything imported into a run, in the order of its digests."""
    for path in sorted(imports_folder(run).glob("*.json")):
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            rows = pd.read_csv(io.StringIO(content["rows"]), keep_default_na=True)
        except (ValueError, KeyError) as error:
            raise StudyError(
                path,
                found=f"no import ({error})",
                expected="what `study import` wrote",
                do="Delete it and import its source again",
            ) from None
        passages = {
            task: {int(item): code for item, code in of.items()}
            for task, of in content["passages"].items()
        }
        yield Imported(
            content["origin"], content["digest"], content["form"], typed(rows), content["items"],
            passages,
        )  # fmt: skip


def imports_folder(run: Path) -> Path:
    """Where imported scores are."""
    return results_folder(run) / "imports"


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns and types of the contract; an empty text is unknown."""
    rows = rows.reindex(columns=list(SCORES))
    text = [name for name, kind in SCORES.items() if kind == "str"]
    rows[text] = rows[text].astype(object).fillna("")
    return rows.astype(SCORES)


def digest_of(paths: list[Path]) -> str:
    """sha256 of files, in order."""
    made = hashlib.sha256()
    for path in paths:
        made.update(path.read_bytes())
    return made.hexdigest()


def check_unique(tables: list[pd.DataFrame]) -> None:
    """StudyError, naming the first, if something has two scores; `_origin` says whose they are."""
    rows = pd.concat(tables, ignore_index=True)
    twice = rows[rows.duplicated(KEY, keep=False)]
    if not twice.empty:
        first = twice.iloc[0]
        same = twice[(twice[KEY].fillna(-1) == first[KEY].fillna(-1)).all(axis=1)]
        scores = sorted({float(score) for score in same["score"]})
        kind = "a duplicate" if len(scores) == 1 else "a contradiction"
        raise StudyError(
            " and ".join(dict.fromkeys(same["_origin"])),
            ", ".join(
                f"{name}={first[name]}" for name in KEY if str(first[name]) not in ("", "<NA>")
            ),
            found=f"{kind}: {len(same)} rows with score {' and '.join(map(str, scores))}",
            expected="one score for each pair, role, arm, task and draw",
            do="Keep one of them",
        )
    for of, what, meaning in ONE_EACH:
        _check_one(rows, of, what, meaning)


def _check_one(rows: pd.DataFrame, of: str, what: str, meaning: str) -> None:
    known = rows.dropna(subset=[what])
    for name, found in known.groupby(of)[what].unique().items():
        if len(found) > 1:
            origins = rows.loc[rows[of] == name, "_origin"]
            raise StudyError(
                " and ".join(dict.fromkeys(origins)),
                f"{of}={name}: {what}",
                found=" and ".join(map(str, sorted(found))),
                expected=f"one {meaning}",
                do="Give the same in all its rows",
            )
