"""Reading scores from a CSV file with the columns of `tables/scores.csv`.

In: a file. Out: `Imported`. Errors name the line and the column; an empty cell means unknown.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from study.errors import StudyError, listed, nearest
from study.models.pairs import registry
from study.results.imported import Imported, check_unique, digest_of, typed
from study.results.schema import EXPOSURES, ROLES, SCORES
from study.tasks.prompt_forms import check_arm

REQUIRED = ("pair", "role", "arm", "task", "task_type", "score")
"Columns that a file must have; the others may be missing or empty."


def read_csv(path: Path) -> Imported:
    """The rows of a file; StudyError for the first row that is not a score."""
    try:
        rows = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise StudyError(path, found="no such file", expected="a table of scores") from None
    except (ValueError, OSError) as error:
        raise StudyError(path, found=f"no table ({error})", expected="a CSV file") from None
    columns = list(rows.columns)
    if unknown := [name for name in columns if name not in SCORES]:
        raise StudyError(
            path,
            unknown[0],
            found="an unknown column",
            expected=f"one of {listed(SCORES, most=20)}",
            do=nearest(unknown[0], SCORES),
        )
    for name in REQUIRED:
        if name not in columns:
            raise StudyError(
                path, name, found="no such column", expected=f"the columns {listed(REQUIRED)}"
            )
        if rows[name].isna().any():
            _check(path, rows, rows[name].isna(), name, "a value: it may not be empty")
    if rows.empty:
        raise StudyError(path, found="no rows", expected="a score at least")
    rows = _with_known_pairs(path, _with_numbers(path, rows))
    _check_values(path, rows)
    table = typed(rows)
    check_unique([table.assign(_origin=str(path))])
    return Imported(str(path), digest_of([path]), "long form", table)


def _with_numbers(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    for name in rows.columns:
        if SCORES[name] in ("float", "Int64"):
            numbers = pd.to_numeric(rows[name], errors="coerce")
            _check(path, rows, numbers.isna() & rows[name].notna(), name, "a number")
            rows[name] = numbers
    return rows


def _with_known_pairs(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in families and sizes of pairs in the registry, where the file omits them."""
    for name in ("family", "params_b"):
        if name not in rows:
            rows[name] = pd.NA
        known = {pair.name: getattr(pair, name) for pair in registry()}
        rows[name] = rows[name].where(rows[name].notna(), rows["pair"].map(known))
    missing = rows["family"].isna()
    _check(path, rows, missing, "family", "a family: the registry does not know the pair", "pair")
    return rows


def _check_values(path: Path, rows: pd.DataFrame) -> None:
    roles = listed(ROLES)
    _check(path, rows, ~rows["role"].isin(ROLES), "role", f"one of {roles}")
    for arm in rows["arm"].unique():
        try:
            role = check_arm(arm).role
        except ValueError as error:
            _check(path, rows, rows["arm"] == arm, "arm", str(error))
        wrong = (rows["arm"] == arm) & (rows["role"] != role)
        _check(path, rows, wrong, "role", f"{role!r}, the role of arm {arm!r}")
    if "exposure" in rows:
        exposure = rows["exposure"].fillna("")
        _check(path, rows, ~exposure.isin(EXPOSURES), "exposure", f"one of {listed(EXPOSURES)}")
    percent = "a fraction from 0 to 1: scores in percent must be divided by 100"
    _check(path, rows, ~rows["score"].between(0, 1), "score", percent)
    if "chance" in rows:
        chance = rows["chance"].isna() | ((rows["chance"] >= 0) & (rows["chance"] < 1))
        _check(path, rows, ~chance, "chance", "a fraction from 0 to below 1")
    if "stderr" in rows:
        stderr = rows["stderr"].isna() | rows["stderr"].between(0, 1)
        _check(path, rows, ~stderr, "stderr", "a standard error on the scale of the score")


def _check(
    path: Path, rows: pd.DataFrame, wrong: pd.Series, column: str, expected: str, shown: str = ""
) -> None:
    """StudyError about the first row that is wrong, if there is one; `shown` is the column whose
    value the error shows, by default the wrong one."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = rows[shown or column].iloc[row]
        text = f"{value:g}" if isinstance(value, float) else repr(value)
        found = "nothing" if pd.isna(value) else text
        raise StudyError(path, f"line {row + 2}: {column}", found=found, expected=expected)
