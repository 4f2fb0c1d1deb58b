"""Scores that were measured elsewhere, as files of a run.

In: rows with the columns of `schema.SCORES`, and their origin. Out: one file per source under
`results/imports/`, named by its digest and written whole; the analysis reads them beside what the
run computed itself. Duplicate scores are refused, and so are contradicting ones. A file ends with
the sha256 of what stands before it; those of earlier versions have none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import TypedDict

from study.csv_text import number_of, read_csv_table, whole_number_of
from study.errors import StudyError
from study.results.files import write_whole
from study.results.ledger import POSITION
from study.results.schema import SCORES

if TYPE_CHECKING:  # commands that need no imported scores start faster without it
    import pandas as pd

KEY = list(POSITION)
"Columns that identify a score."
UNIQUE = (
    ("task", "chance", "chance level for a task"),
    ("task", "task_type", "type for a task"),
    ("pair", "family", "family for a pair"),
    ("pair", "params_b", "number of parameters for a pair"),
)
"(entity, column, description): values that may not differ between the rows of an entity."


_DIGEST = re.compile(rb', "sha256": "([0-9a-f]{64})"\}$')
"The end of a file."
PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "float": number_of,
    "Int64": whole_number_of,
}
"By type of a column, what a cell that is not empty says; ValueError if it is not of that type."


class ImportedItems(TypedDict):
    """The items of one row; every list has one entry per item."""

    item: list[int]
    score: list[float]
    choice: list[int] | None
    "The same number for the same answer; None where unknown."


@dataclass(frozen=True)
class Imported:
    """The rows of one source, and where they come from."""

    origin: str
    digest: str
    "sha256 of the source as it was read."
    form: str
    rows: pd.DataFrame
    items: dict[str, ImportedItems] = field(default_factory=dict)
    "By row number, where item scores are known."
    passages: dict[str, dict[int, int]] = field(default_factory=dict)
    "By task and item, a code (`schema.text_code`) of the text that items share."


class _File(BaseModel):
    """What a file of `results/imports` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: str
    digest: str
    form: str
    rows: str
    "The rows as CSV."
    items: dict[str, ImportedItems]
    passages: dict[str, dict[int, int]]


def check_import(imported: Imported, existing: Iterable[Imported]) -> None:
    """StudyError if `existing` imports hold a source's scores, or contradict them."""
    others = list(existing)
    if any(other.digest == imported.digest for other in others):
        raise StudyError(
            imported.origin,
            found="a file whose content has been imported already",
            expected="each source once",
            do=f"Delete results/imports/{imported.digest[:16]}.json to import it again",
        )
    check_unique([source.rows.assign(_origin=source.origin) for source in (imported, *others)])


def write_import(folder: Path, imported: Imported, existing: Iterable[Imported]) -> Path:
    """Commit a source to `results/imports`; StudyError if `existing` imports hold its scores."""
    check_import(imported, existing)
    content = {
        "origin": imported.origin,
        "digest": imported.digest,
        "form": imported.form,
        "rows": imported.rows.to_csv(index=False, lineterminator="\n"),
        "items": imported.items,
        "passages": imported.passages,
    }
    path = folder / f"{imported.digest[:16]}.json"
    body = json.dumps(content).encode()
    write_whole(path, b'%s, "sha256": "%s"}' % (body[:-1], _sha256(body).encode()))
    return path


def read_imports(folder: Path) -> Iterator[Imported]:
    """All imports in a folder, in the order of their digests."""
    for path in sorted(folder.glob("*.json")):
        try:
            yield _read_import(path)
        except OSError as error:
            raise StudyError(path, found=error.strerror, expected="a readable file") from None
        except (ValueError, StudyError) as error:
            reason = str(error)
            if isinstance(error, ValidationError):
                fault = error.errors()[0]
                reason = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            raise StudyError(
                path,
                found=f"no import ({reason})",
                expected="what `study import` wrote",
                do="Delete it and import its source again",
            ) from None


def _read_import(path: Path) -> Imported:
    import pandas as pd

    body = path.read_bytes()
    if ending := _DIGEST.search(body):
        body = body[: ending.start()] + b"}"
        if _sha256(body) != ending[1].decode():
            raise ValueError("it has another sha256 than when it was written")
    file = _File.model_validate_json(body)
    table = read_csv_table("rows", file.rows.encode())
    if set(table.columns) != set(SCORES):
        raise ValueError("the columns of its rows are others")
    for number, items in file.items.items():
        choices = items["item"] if items["choice"] is None else items["choice"]
        known = number.isdecimal() and int(number) < len(table.rows)
        if not known or not len(items["item"]) == len(items["score"]) == len(choices):
            raise ValueError(f"the items of row {number} do not fit it")
    columns = {
        name: [PARSERS[SCORES[name]](row[index]) if row[index] else None for row in table.rows]
        for index, name in enumerate(table.columns)
    }
    return Imported(
        origin=file.origin,
        digest=file.digest,
        form=file.form,
        rows=typed(pd.DataFrame(columns)),
        items=file.items,
        passages=file.passages,
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the columns and types of `schema.SCORES`; empty text means unknown."""
    rows = rows.reindex(columns=list(SCORES))
    text = [name for name, kind in SCORES.items() if kind == "str"]
    rows[text] = rows[text].astype(object).fillna("")
    return rows.astype(SCORES)


def digest_of(paths: list[Path]) -> str:
    """sha256 of the content of files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def check_unique(tables: list[pd.DataFrame]) -> None:
    """StudyError if a number has two scores; the column `_origin` names where rows come from."""
    import pandas as pd

    rows = pd.concat(tables, ignore_index=True)
    repeated = rows[rows.duplicated(KEY, keep=False)]
    if not repeated.empty:
        first = repeated.iloc[0]
        same = repeated[(repeated[KEY].fillna(-1) == first[KEY].fillna(-1)).all(axis=1)]
        scores = sorted({float(score) for score in same["score"]})
        kind = "a duplicate" if len(scores) == 1 else "a contradiction"
        position = ", ".join(
            f"{name}={first[name]}" for name in KEY if str(first[name]) not in ("", "<NA>")
        )
        raise StudyError(
            " and ".join(dict.fromkeys(same["_origin"])),
            position,
            found=f"{kind}: {len(same)} rows with score {' and '.join(map(str, scores))}",
            expected="one score for each pair, role, arm, task and draw",
            do="Keep one of them",
        )
    for entity, column, description in UNIQUE:
        _check_one_value(rows, entity, column, description)


def _check_one_value(rows: pd.DataFrame, entity: str, column: str, description: str) -> None:
    known = rows.dropna(subset=[column])
    for name, values in known.groupby(entity)[column].unique().items():
        if len(values) > 1:
            origins = rows.loc[rows[entity] == name, "_origin"]
            raise StudyError(
                " and ".join(dict.fromkeys(origins)),
                f"{entity}={name}: {column}",
                found=" and ".join(map(str, sorted(values))),
                expected=f"one {description}",
                do="Give the same in all its rows",
            )
