"""Imports whose tasks or pairs do not overlap: empty rows that say why, or one error."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.pipeline import analyze_run, write_tables
from study.errors import StudyError
from study.results.imported import write_import
from study.results.run import Run
from tests.finished_runs import copy_run, finished_run
from tests.study.exchange.score_files import add_import, imported_csv, score_rows, write_csv


def _other_pairs(task_type: str) -> pd.DataFrame:
    """Scores of other pairs on another task."""
    rows = score_rows().assign(task="u", task_type=task_type)
    return rows.assign(pair=rows["pair"].str.replace("p", "q"))


def _tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_csv(path) for path in (folder / "tables").glob("*.csv")}


@pytest.mark.filterwarnings("error")
def test_no_pair_has_all_tasks(folder: Path, tmp_path: Path) -> None:
    rows = pd.concat([score_rows(), _other_pairs("facts")])
    run = add_import(folder, imported_csv(write_csv(tmp_path, rows)))
    reason = "not estimable: no pair has scores on all 2 tasks in both arms"
    assert reason in analyze_run(run)
    tables = _tables(folder)
    overall = tables["correlations"][tables["correlations"]["level"] == "overall"]
    assert len(overall) == 3
    assert overall["n_pairs"].eq(0).all()
    assert overall["note"].eq(reason).all()
    by_task = tables["correlations"][tables["correlations"]["level"] == "task"]
    assert by_task["n_pairs"].eq(6).all()
    assert tables["robustness"]["note"].eq(reason).all()
    assert tables["summaries"]["note"].tolist() == [reason]


def test_one_side_alone_is_an_error(folder: Path, tmp_path: Path) -> None:
    rows = score_rows()
    run = add_import(folder, imported_csv(write_csv(tmp_path, rows[rows["role"] == "base"])))
    with pytest.raises(StudyError, match=r"contrasts: found no contrast .*scores of 'base-5shot'"):
        analyze_run(run)
    half = rows[(rows["role"] == "base") == (rows["pair"] < "p3")]
    other = Run.open(tmp_path / "published")
    for path in (other.results / "imports").iterdir():
        path.unlink()
    run = add_import(folder, imported_csv(write_csv(tmp_path, half, "half.csv")))
    with pytest.raises(StudyError, match="expected a contrast of two arms in which some pair has"):
        analyze_run(run)


@pytest.mark.parametrize("sides", [("base", "tuned"), ("base",)])
def test_imports_that_do_not_overlap_with_the_run(
    sides: tuple[str, ...], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = copy_run(finished_run(tmp_path_factory, "small"), tmp_path / "run")
    run = Run.open(folder)
    rows = _other_pairs("maths")
    rows["arm"] = rows["role"].map({"base": "base-5shot", "tuned": "tuned-0shot-chat"})
    imported = imported_csv(write_csv(tmp_path, rows[rows["role"].isin(sides)]))
    write_import(run.results / "imports", imported, run.imports)
    write_tables(folder)
    correlations = _tables(folder)["correlations"]
    overall = correlations[
        (correlations["level"] == "overall") & (correlations["contrast"] == "in-context")
    ]
    assert (overall["n_pairs"].eq(0) & overall["note"].notna()).all() == (len(sides) == 2)


def test_imports_that_contradict_the_run_are_refused_with_both_sources(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = copy_run(finished_run(tmp_path_factory, "small"), tmp_path / "run")
    write_tables(folder)
    scores = pd.read_csv(folder / "tables" / "scores.csv", dtype="str", keep_default_na=False)
    file = write_csv(tmp_path, scores[:1].assign(score="0.123"), "other.csv")
    run = Run.open(folder)
    write_import(run.results / "imports", imported_csv(file), run.imports)
    with pytest.raises(
        StudyError, match=rf"other\.csv and {folder}: .*found a contradiction: 2 rows"
    ):
        write_tables(folder)
