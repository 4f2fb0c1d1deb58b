"""The whole analysis of a run of imported scores, and tables as files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from analysis.figures import FIGURES
from analysis.pipeline import analyze_run, write_csv
from analysis.tables import TABLES
from study.errors import StudyError
from study.results.run import Run
from study.results.schema import SCORES
from tests.analysis.samples import X

Analyzed = tuple[Path, str, list[str]]


@pytest.fixture(scope="module")
def analyzed(imported_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Analyzed:
    """The folder of an analysed run, its summary, and the steps that were reported."""
    folder = tmp_path_factory.mktemp("analyzed") / "run"
    shutil.copytree(imported_run.folder, folder)
    steps: list[str] = []
    return folder, analyze_run(str(folder), on_step=steps.append), steps


def test_tables_are_those_that_apply(analyzed: Analyzed) -> None:
    folder, _, _ = analyzed
    names = {path.stem for path in (folder / "tables").glob("*.csv")}
    of_tuning = {"tuning", "written", "turn_scores", "recipe_gains"}
    assert names == {"scores", *(t.name for t in TABLES)} - of_tuning - {"intervals"}
    assert (folder / "tables" / "correlations.tex").read_text().startswith("% needs")


def test_figures_are_those_that_apply(analyzed: Analyzed) -> None:
    folder, _, _ = analyzed
    names = {path.stem for path in (folder / "figures").glob("*.pdf")}
    assert names == {path.stem for path in (folder / "figures").glob("*.png")}
    once = {f.name for f in FIGURES if not f.each_contrast} - {"losses", "recipe_gains"}
    once -= {"item_overlap"}  # no item scores of both arms
    assert names == once | {"scatter_in-context", "scatter_in-context-control"}


def test_the_summary_names_contrasts_and_files(analyzed: Analyzed) -> None:
    folder, summary, steps = analyzed
    assert f"in-context: {X} (x) against" in summary
    assert f"tables:  {folder / 'tables'}" in summary
    assert f"figure:  {folder / 'figures' / 'forest.pdf'} (and .png)" in summary
    assert steps == [
        "reading the scores",
        "reading item scores",
        "correlating 2 contrasts",
        "drawing figures",
    ]


def test_a_run_without_scores_in_both_arms_is_an_error(imported_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(imported_run.folder, folder)
    study = "name: imported\ncontrasts:\n  - {name: c, x: base-9shot, y: tuned-9shot}\n"
    (folder / "study.yaml").write_text(study)
    with pytest.raises(StudyError, match="contrasts: found no contrast with scores in both arms"):
        analyze_run(folder)


def test_csv_is_not_rounded(scores: pd.DataFrame, tmp_path: Path) -> None:
    write_csv(scores, tmp_path / "scores.csv")
    table = pd.read_csv(tmp_path / "scores.csv", keep_default_na=True).fillna({"exposure": ""})
    pd.testing.assert_frame_equal(table.astype(SCORES), scores, check_exact=True)
