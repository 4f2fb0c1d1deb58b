"""Tables of scores: every fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis import load_scores
from study.errors import StudyError
from study.exchange.read_csv import REQUIRED, read_csv
from study.models.pairs import registry
from study.results.schema import SCORES
from tests.study.exchange.score_files import add_import, score_rows, write_csv

FAULTS: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "missing column": (
        lambda: score_rows().drop(columns="arm"),
        "arm: found no such column",
    ),
    "unknown column": (
        lambda: score_rows().rename(columns={"score": "scores"}),
        "Did you mean 'score'",
    ),
    "percent": (
        lambda: score_rows(score=71.3),
        r"line 2: score: found 71\.3.*divided by 100",
    ),
    "no score": (lambda: score_rows(score=None), "line 2: score: found nothing"),
    "words": (
        lambda: score_rows(score="high"),
        "line 2: score: found 'high'; expected a number",
    ),
    "unknown family": (
        lambda: score_rows(family=None),
        "line 2: family: found 'p0'.*registry",
    ),
    "role": (
        lambda: score_rows(role="tuned"),
        "line 2: role: found 'tuned'; expected 'base'",
    ),
    "unknown role": (lambda: score_rows(role="other"), "line 2: role: found 'other'"),
    "arm": (lambda: score_rows(arm="base-fewshot"), "line 2: arm: found 'base-fewshot'"),
    "form": (lambda: score_rows(arm="base-5shot-poem"), "line 2: arm: found 'base-5shot-poem'"),
    "intervention": (
        lambda: score_rows(arm="base-5shot+poem"),
        r"line 2: arm: found 'base-5shot\+poem'; expected an intervention",
    ),
    "chance": (lambda: score_rows(chance=25), "line 2: chance: found 25"),
    "stderr": (lambda: score_rows(stderr=3), "line 2: stderr: found 3"),
    "exposure": (lambda: score_rows(exposure="seen"), "line 2: exposure: found 'seen'"),
    "two chances": (lambda: score_rows(chance=0.5), r"task=t: chance: found 0\.25 and 0\.5"),
    "two families": (
        lambda: score_rows(family="f9"),
        "pair=p0: family: found f0 and f9; expected one",
    ),
    "two sizes": (
        lambda: score_rows(params_b=70),
        r"pair=p0: params_b: found 1\.0 and 70\.0",
    ),
    "two types": (
        lambda: score_rows(task_type="maths"),
        "task=t: task_type: found facts and maths",
    ),
    "duplicate": (
        lambda: pd.concat([score_rows(), score_rows()[:1]]),
        "pair=p0.*found a duplicate: 2 rows",
    ),
    "contradiction": (
        lambda: pd.concat([score_rows(), score_rows(score=0.9)[:1]]),
        r"found a contradiction: 2 rows with score 0\.3 and 0\.9",
    ),
    "nothing": (lambda: score_rows()[:0], "found no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, tmp_path: Path) -> None:
    make, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        read_csv(write_csv(tmp_path, make()))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"absent\.csv: found no such file"):
        read_csv(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(StudyError, match=r"empty\.csv: found no table"):
        read_csv(tmp_path / "empty.csv")


def test_columns_that_may_be_missing_are_unknown(tmp_path: Path) -> None:
    pair = registry()[0]
    row = {
        "pair": pair.name,
        "role": "base",
        "arm": "base-5shot",
        "task": "t",
        "task_type": "facts",
        "score": 0.5,
    }
    assert set(row) == set(REQUIRED)
    (values,) = read_csv(write_csv(tmp_path, pd.DataFrame([row]))).rows.to_dict("records")
    assert (values["family"], values["params_b"]) == (pair.family, pair.params_b)
    assert values["exposure"] == ""
    assert pd.isna(values["n_items"])
    assert pd.isna(values["draw"])


def test_what_the_analysis_writes_can_be_imported(folder: Path, tmp_path: Path) -> None:
    run = add_import(folder, read_csv(write_csv(tmp_path, score_rows())))
    scores = load_scores(run)
    assert list(scores.columns) == list(SCORES)
    scores.to_csv(tmp_path / "again.csv", index=False)
    pd.testing.assert_frame_equal(read_csv(tmp_path / "again.csv").rows, scores)
    assert [imported.form for imported in run.imports] == ["long form"]


def test_two_sources_may_not_contradict_each_other(folder: Path, tmp_path: Path) -> None:
    add_import(folder, read_csv(write_csv(tmp_path, score_rows(), "one.csv")))
    other = read_csv(write_csv(tmp_path, score_rows(score=0.9)[:1], "other.csv"))
    with pytest.raises(StudyError, match=r"other\.csv and .*one\.csv.*a contradiction"):
        add_import(folder, other)
    assert len(list((folder / "results" / "imports").iterdir())) == 1
