"""Scores written for others, and read again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from analysis import load_scores
from study.errors import StudyError
from study.exchange.export import export
from tests.study.exchange.score_files import (
    add_import,
    imported_csv,
    imported_lm_eval,
    score_rows,
    write_csv,
    write_lm_eval_results,
)


def test_exported_scores_can_be_imported_again(folder: Path, tmp_path: Path) -> None:
    source = imported_lm_eval(write_lm_eval_results(tmp_path / "one"))
    scores = load_scores(add_import(folder, source))
    files = export(scores, tmp_path / "out")
    assert files[0] == tmp_path / "out" / "scores.csv"
    pd.testing.assert_frame_equal(imported_csv(files[0]).rows, scores)
    pd.testing.assert_frame_equal(imported_lm_eval(tmp_path / "out").rows, scores)


def test_a_file_for_each_model_arm_and_draw(folder: Path, tmp_path: Path) -> None:
    models = score_rows()[:2].assign(
        model=["org/base", "org/tuned"], draw=pd.array([3, pd.NA], dtype="Int64")
    )
    scores = imported_csv(write_csv(tmp_path, models)).rows
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


def _exported(folder: Path) -> list[tuple[str, str, float]]:
    """(model, task, score) of all results files."""
    contents = [json.loads(path.read_text()) for path in folder.glob("*/results_*.json")]
    return sorted(
        (content["model_name"], task, next(iter(v for k, v in result.items() if "," in k)))
        for content in contents
        for task, result in content["results"].items()
    )


def test_models_without_a_name_are_named_by_pair_and_role(tmp_path: Path) -> None:
    scores = imported_csv(write_csv(tmp_path, score_rows())).rows
    export(scores, tmp_path / "out")
    assert [score for _, _, score in _exported(tmp_path / "out")] == sorted(scores["score"])
    folders = {path.name for path in (tmp_path / "out").iterdir()} - {"scores.csv"}
    assert folders == {f"p{i}__{role}" for i in range(6) for role in ("base", "tuned")}


HOSTILE = ("..", ".", "/abs", "a/../b", "a/b", "a__b", "A/b", " ", "-rf", "x" * 300, "~", "con\\a")


def test_every_model_has_a_folder_of_its_own_inside_the_folder(tmp_path: Path) -> None:
    rows = score_rows()
    scores = imported_csv(write_csv(tmp_path, rows)).rows.assign(model=list(HOSTILE))
    files = export(scores, tmp_path / "sub" / "out")
    assert len(set(files)) == len(HOSTILE) + 1
    inside = (tmp_path / "sub" / "out").resolve()
    assert all(path.resolve().parent.parent == inside for path in files[1:])
    assert {path.name for path in tmp_path.iterdir()} == {"scores.csv", "sub"}
    assert {name for name, _, _ in _exported(inside)} == set(HOSTILE)
    assert len({path.parent.name.casefold() for path in files[1:]}) == len(HOSTILE)


def test_scores_of_one_model_that_differ_are_all_written(tmp_path: Path) -> None:
    """Published tables have one base in several pairs, not always with the same scores."""
    rows = score_rows().assign(model="org/m", role="base", arm="base-5shot")
    scores = imported_csv(write_csv(tmp_path, rows.drop_duplicates("pair"))).rows
    same = scores.assign(score=0.5)
    export(scores, tmp_path / "out")
    assert [score for _, _, score in _exported(tmp_path / "out")] == sorted(scores["score"])
    files = export(same, tmp_path / "same")
    assert len(files) == 2


def test_imported_scores_are_labelled_by_their_source(tmp_path: Path) -> None:
    rows = score_rows()[:2].assign(source=["study", "Table 3"], model="m", role="base")
    rows = rows.assign(arm="base-5shot", task=["t", "u"])
    files = export(imported_csv(write_csv(tmp_path, rows)).rows, tmp_path / "out")
    contents = [json.loads(path.read_text()) for path in files[1:]]
    models = {content["config"]["source"]: content["config"]["model"] for content in contents}
    assert models == {"study": "shared-prefix", "Table 3": "Table 3"}


def test_nothing_is_written_over_other_files(tmp_path: Path) -> None:
    scores = imported_csv(write_csv(tmp_path, score_rows())).rows
    other = tmp_path / "out" / "mine.txt"
    other.parent.mkdir()
    export(scores, other.parent)
    before = {path: path.read_bytes() for path in other.parent.rglob("*.json")}
    with pytest.raises(StudyError, match="found files in it; expected a new or an empty folder"):
        export(scores[:1], other.parent)
    assert {path: path.read_bytes() for path in other.parent.rglob("*.json")} == before


def test_texts_are_neutralised_for_spreadsheets_on_request_alone(tmp_path: Path) -> None:
    rows = score_rows()[:2].assign(pair="=1+1", task="@t", model="-m", source="+s", score=0.5)
    scores = imported_csv(write_csv(tmp_path, rows)).rows
    exact = export(scores, tmp_path / "exact")[0].read_text()
    assert "\n=1+1,f0,1.0,-m,base,base-5shot,@t," in exact
    safe = export(scores, tmp_path / "safe", for_spreadsheets=True)[0].read_text()
    assert "\n'=1+1,f0,1.0,'-m,base,base-5shot,'@t," in safe
    assert ",0.5," in safe


def test_arms_of_published_tables_have_no_number_of_shots(tmp_path: Path) -> None:
    rows = score_rows()
    rows["arm"] = rows["role"].map({"base": "base-icl", "tuned": "tuned"})
    files = export(imported_csv(write_csv(tmp_path, rows)).rows, tmp_path / "out")
    content = json.loads(files[1].read_text())
    assert content["n-shot"] == {"t": None}
    assert content["config"]["arm"] == "base-icl"
