"""Reads the long form of scores: a CSV with the columns of `tables/scores.csv`.

In: a file. Out: `Imported`. Every fault is named by line and column; an empty cell means unknown.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from study.config.arms import parse_arm
from study.errors import StudyError, listed, nearest
from study.models.pairs import registry
from study.results.imported import Imported, check_unique, digest_of, typed
from study.results.schema import EXPOSURES, ROLES, SCORES

NEEDED = ("pair", "role", "arm", "task", "task_type", "score")
"Columns without which there is nothing to correlate; the others may be absent, or empty."


def read_long_form(path: Path) -> Imported:
    """The rows of a file; StudyError if one is not a score."""
    try:
        rows = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise StudyError(path, found="no such file", expected="a table of scores") from None
    except (ValueError, OSError) as error:
        raise StudyError(path, found=f"no table ({error})", expected="a CSV file") from None
    columns = list(rows.columns)
    if unknown := [name for name in columns if name not in SCORES]:
        raise StudyError(path, unknown[0], found="an unknown column",
                         expected=f"one of {listed(SCORES, most=20)}",
                         do=nearest(unknown[0], SCORES))  # fmt: skip
    for name in NEEDED:
        if name not in columns:
            raise StudyError(path, name, found="no such column",
                             expected=f"the columns {listed(NEEDED)}")  # fmt: skip
        if rows[name].isna().any():
            _fault(path, rows, rows[name].isna(), name, "a value: it may not be empty")
    if rows.empty:
        raise StudyError(path, found="no rows", expected="a score at least")
    rows = _recognised(path, _numbers(path, rows))
    _check(path, rows)
    made = typed(rows)
    check_unique([made.assign(_origin=str(path))])
    return Imported(str(path), digest_of([path]), "long form", made)


def _numbers(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    for name in rows.columns:
        if SCORES[name] in ("float", "Int64"):
            made = pd.to_numeric(rows[name], errors="coerce")
            _fault(path, rows, made.isna() & rows[name].notna(), name, "a number")
            rows[name] = made
    return rows


def _recognised(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Families and sizes of pairs that the registry knows, where the file leaves them out."""
    known = {pair.name: pair for pair in registry()}
    for name, of in (("family", "family"), ("params_b", "params_b")):
        if name not in rows:
            rows[name] = pd.NA
        found = rows["pair"].map({key: getattr(pair, of) for key, pair in known.items()})
        rows[name] = rows[name].where(rows[name].notna(), found)
    missing = rows["family"].isna()
    _fault(path, rows, missing, "family", "a family: the registry does not know the pair", "pair")
    return rows


def _check(path: Path, rows: pd.DataFrame) -> None:
    roles = listed(ROLES)
    _fault(path, rows, ~rows["role"].isin(ROLES), "role", f"one of {roles}")
    for arm in rows["arm"].unique():
        try:
            role = parse_arm(arm).role
        except ValueError as error:
            _fault(path, rows, rows["arm"] == arm, "arm", str(error))
        wrong = (rows["arm"] == arm) & (rows["role"] != role)
        _fault(path, rows, wrong, "role", f"{role!r}, which arm {arm!r} is of")
    if "exposure" in rows:
        exposure = rows["exposure"].fillna("")
        _fault(path, rows, ~exposure.isin(EXPOSURES), "exposure", f"one of {listed(EXPOSURES)}")
    percent = "a fraction from 0 to 1: scores in percent are to be divided by 100"
    _fault(path, rows, ~rows["score"].between(0, 1), "score", percent)
    if "chance" in rows:
        chance = rows["chance"].isna() | ((rows["chance"] >= 0) & (rows["chance"] < 1))
        _fault(path, rows, ~chance, "chance", "a fraction from 0 to below 1")
    if "stderr" in rows:
        stderr = rows["stderr"].isna() | rows["stderr"].between(0, 1)
        _fault(path, rows, ~stderr, "stderr", "a standard error on the scale of the score")


def _fault(
    path: Path, rows: pd.DataFrame, wrong: pd.Series, column: str, expected: str, shown: str = ""
) -> None:
    """StudyError about the first row that is wrong, if one is."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = rows[shown or column].iloc[row]
        number = isinstance(value, float)
        found = "nothing" if pd.isna(value) else f"{value:g}" if number else repr(value)
        raise StudyError(path, f"line {row + 2}: {column}", found=found, expected=expected)
