"""Scores written for others, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from analysis import load_scores
from study.config.study import read_study
from study.exchange.export import export
from study.exchange.read_csv import read_csv
from study.exchange.read_lm_eval import read_lm_eval
from tests.study.exchange.score_files import (
    add_import,
    score_rows,
    write_csv,
    write_lm_eval_results,
)


def test_exported_scores_can_be_imported_again(folder: Path, tmp_path: Path) -> None:
    source = read_lm_eval(write_lm_eval_results(tmp_path / "one"), read_study(folder))
    scores = load_scores(add_import(folder, source))
    files = export(scores, tmp_path / "out")
    assert files[0] == tmp_path / "out" / "scores.csv"
    pd.testing.assert_frame_equal(read_csv(files[0]).rows, scores)
    rows = read_lm_eval(tmp_path / "out", read_study(folder)).rows
    columns = ["pair", "arm", "task", "score", "stderr", "chance", "metric"]
    pd.testing.assert_frame_equal(rows[columns], scores[columns])


def test_a_file_for_each_model_arm_and_draw(folder: Path, tmp_path: Path) -> None:
    models = score_rows()[:2].assign(
        model=["org/base", "org/tuned"], draw=pd.array([3, pd.NA], dtype="Int64")
    )
    scores = read_csv(write_csv(tmp_path, models)).rows
    files = export(scores, tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files[1:]] == [
        "org__base/results_base-5shot_draw3.json",
        "org__tuned/results_tuned-5shot.json",
    ]
    content = json.loads(files[1].read_text())
    assert content["n-shot"] == {"t": 5}
    assert content["model_name"] == "org/base"
    assert content["config"]["draw"] == 3
    assert content["chat_template"] is None
