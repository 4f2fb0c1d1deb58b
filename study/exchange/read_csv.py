"""Reading scores from a CSV file with the columns of `tables/scores.csv`.

In: a file, and the study that it is imported into. Out: `Imported`. Errors name the line and the
column; an empty cell means unknown. Names are text, whatever they look like.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from study.config.study import Study
from study.csv_text import CsvTable, name_of, number_of, read_csv_table, whole_number_of
from study.errors import StudyError, listed, nearest
from study.exchange.score_ranges import ScoreRanges
from study.models.pairs import registry, study_pairs
from study.results.imported import Imported, check_unique, digest_of, typed
from study.results.schema import EXPOSURES, ROLES, SCORES
from study.tasks.prompt_forms import check_arm

REQUIRED = ("pair", "role", "arm", "task", "task_type", "score")
"Columns that a file must have; the others may be missing or empty."
Row = dict[str, Any]


def read_csv(path: Path, study: Study, ranges: ScoreRanges) -> Imported:
    """The rows of a file; StudyError for the first row that is not a score."""
    try:
        content = path.read_bytes()
    except OSError as error:
        found = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise StudyError(path, found=found, expected="a table of scores") from None
    table = read_csv_table(path, content)
    _check_columns(path, table)
    pairs = {pair.name: pair for pair in registry()}
    pairs |= {pair.name: pair for pair in (study_pairs(study) if study.pairs else ())}
    rows: list[Row] = []
    for line, cells in zip(table.lines, table.rows, strict=True):
        texts = dict(zip(table.columns, cells, strict=True))
        try:
            row = {name: _value(name, text) for name, text in texts.items()}
            if row["pair"] in pairs:
                for name in ("family", "params_b"):
                    if row.get(name) is None:
                        row[name] = getattr(pairs[row["pair"]], name)
            _check_row(row, study, ranges)
        except _CellError as error:
            text = texts.get(error.column, "")
            found = repr(text) if text else "nothing"
            place = f"line {line}: {error.column}"
            raise StudyError(
                path, place, found=found, expected=error.expected, do=error.do
            ) from None
        rows.append(row)
    frame = typed(pd.DataFrame(rows))
    check_unique([frame.assign(_origin=str(path))])
    return Imported(str(path), digest_of([path]), "long form", frame)


class _CellError(Exception):
    """A cell that does not say what its column means."""

    def __init__(self, column: str, expected: str, do: str = "") -> None:
        super().__init__(column, expected, do)
        self.column, self.expected, self.do = column, expected, do


def _check_columns(path: Path, table: CsvTable) -> None:
    for name in table.columns:
        if name not in SCORES:
            raise StudyError(
                path,
                f"line 1: {name}",
                found="an unknown column",
                expected=f"one of {listed(SCORES, most=20)}",
                do=nearest(name, SCORES),
            )
    for name in REQUIRED:
        if name not in table.columns:
            raise StudyError(
                path, name, found="no such column", expected=f"the columns {listed(REQUIRED)}"
            )
    if not table.rows:
        raise StudyError(path, found="no rows", expected="a score at least")


def _value(column: str, text: str) -> Any:
    """What a cell says; None if it is empty."""
    if not text:
        if column in REQUIRED:
            raise _CellError(column, "a value: it may not be empty")
        return None
    try:
        return _PARSERS[column](text)
    except ValueError as error:
        raise _CellError(column, str(error)) from None


def _check_row(row: Row, study: Study, ranges: ScoreRanges) -> None:
    """_CellError for the first cell that contradicts another or the study."""
    if row.get("family") is None:
        raise _CellError("family", f"a family: neither registry nor study knows {row['pair']!r}")
    try:
        arm = study.published_arms.get(row["arm"]) or check_arm(row["arm"])
    except ValueError as error:
        declare = "Declare other arms under `imported_arms` in study.yaml"
        raise _CellError("arm", str(error), declare) from None
    if row["role"] != arm.role:
        raise _CellError("role", f"{arm.role!r}, the role of arm {row['arm']!r}")
    metric = row.get("metric") or ""
    if problem := ranges.problem(row["score"], row["task"], metric):
        do = f"Divide percentages by 100. {ranges.remedy(metric)}"
        raise _CellError("score", problem, do)
    low, high = ranges.range_of(row["task"], metric)
    if (row.get("stderr") or 0.0) > high - low:
        raise _CellError("stderr", "a standard error on the scale of the score")
    if not max(low, 0.0) <= (row.get("chance") or 0.0) < high:
        raise _CellError("chance", f"a score from {max(low, 0.0):g} to below {high:g}")


def _one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"one of {listed(values)}")
        return text

    return parse


def _positive(text: str) -> float:
    if (number := number_of(text)) <= 0:
        raise ValueError("a number above 0")
    return number


def _not_negative(text: str) -> float:
    if (number := number_of(text)) < 0:
        raise ValueError("a number of at least 0")
    return number


_PARSERS: dict[str, Callable[[str], Any]] = {
    **{name: name_of for name, kind in SCORES.items() if kind == "str"},
    "role": _one_of(ROLES),
    "exposure": _one_of(EXPOSURES),
    "params_b": _positive,
    "draw": whole_number_of,
    "score": number_of,
    "stderr": _not_negative,
    "n_items": lambda text: whole_number_of(text, least=1),
    "chance": _not_negative,
}
