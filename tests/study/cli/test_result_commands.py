"""Importing, analysing and exporting scores from the command line; the power of a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis import load_scores
from analysis.statistics.families import Families
from analysis.statistics.power import power
from study.cli.app import app
from study.cli.result_commands import import_scores
from study.cli.result_commands import power as power_command
from study.errors import StudyError
from study.results.schema import SCORES
from tests.conftest import ROOT, StudyCommand
from tests.study.exchange.score_files import score_rows, write_csv


def test_import_analyze_export(folder: Path, tmp_path: Path, study_command: StudyCommand) -> None:
    file = write_csv(tmp_path, score_rows())
    result = study_command("import", folder, file)
    assert result.returncode == 0, result.stderr
    assert "12 scores of 6 pairs" in result.stderr
    result = study_command("analyze", folder)
    assert result.returncode == 0, result.stderr
    assert (folder / "figures" / "forest.pdf").exists()
    scores = load_scores(folder)
    assert list(scores.columns) == list(SCORES)
    assert scores["exposure"].eq("").all()
    assert scores["n_items"].isna().all()

    again = study_command("import", folder, file)
    assert again.returncode == 2
    assert "imported already" in again.stderr
    refused = study_command("run", folder)
    assert refused.returncode == 2
    assert "imported scores" in refused.stderr

    result = study_command("export", folder, tmp_path / "out")
    assert result.returncode == 0, result.stderr
    exported = pd.read_csv(tmp_path / "out" / "scores.csv")
    assert exported["score"].tolist() == scores["score"].tolist()


def test_power_of_a_study(capsys: pytest.CaptureFixture[str]) -> None:
    power_command(ROOT / "runs" / "demo", intra_family=0.5)
    printed = capsys.readouterr().out
    assert "31 pairs of 6 families" in printed
    assert "attainable with 6 families: .031" in printed
    families = Families.of([f"f{i}" for i in range(85)])
    alone = power(families, items=10**9)
    assert alone.independent == 85
    assert alone.rows.loc[0, "power"] == pytest.approx(0.8, abs=0.01)
    assert alone.rows.loc[0, "pairs_needed"] == 85
    related = power(Families.of([f"f{i % 17}" for i in range(85)]), items=100)
    assert related.independent == pytest.approx(85 / 3)
    assert (related.rows["power"] < alone.rows["power"] + 1e-9).all()


def test_options_of_import_and_export(folder: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path, score_rows(score=-0.2).assign(metric="mine", source="=1+1"))
    runner = CliRunner()
    with pytest.raises(StudyError, match="--range LOWEST HIGHEST"):
        runner.invoke(app, ["import", str(folder), str(file)], catch_exceptions=False)
    for option in (["--pair", "p"], ["--role", "base"]):
        command = ["import", str(folder), str(file), *option]
        with pytest.raises(StudyError, match="--pair: found"):
            runner.invoke(app, command, catch_exceptions=False)
    imported = runner.invoke(app, ["import", str(folder), str(file), "--range", "-1", "1"])
    assert imported.exit_code == 0, imported.output
    assert load_scores(folder)["score"].min() == -0.2
    out = tmp_path / "out"
    exported = runner.invoke(app, ["export", str(folder), str(out), "--for-spreadsheets"])
    assert exported.exit_code == 0, exported.output
    assert ",'=1+1\n" in (out / "scores.csv").read_text()


def test_of_several_files_all_are_imported_or_none(folder: Path, tmp_path: Path) -> None:
    files = [
        write_csv(tmp_path, score_rows(), "one.csv"),
        write_csv(tmp_path, score_rows().assign(task="u"), "two.csv"),
        write_csv(tmp_path, score_rows(score=0.9), "three.csv"),
    ]
    with pytest.raises(StudyError, match=r"three\.csv and .*one\.csv: .*a contradiction"):
        import_scores(folder, files)
    assert not (folder / "results" / "imports").exists()
    with pytest.raises(StudyError, match="imported already"):
        import_scores(folder, [files[0], files[0]])
    import_scores(folder, files[:2])
    assert len(load_scores(folder)) == 24
