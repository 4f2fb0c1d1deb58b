"""Tables of scores: every fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis import load_scores
from analysis.pipeline import write_csv as write_frame
from study.config.arms import ImportedArm
from study.config.study import read_study
from study.errors import StudyError
from study.exchange.read_csv import REQUIRED, read_csv
from study.exchange.score_ranges import ScoreRanges
from study.models.pairs import registry
from study.results.schema import SCORES
from tests.conftest import MakeRun
from tests.study.exchange.score_files import (
    PUBLISHED,
    add_import,
    imported_csv,
    score_rows,
    write_csv,
)

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
        r"line 2: score: found '71\.3'; expected a score from 0 to 1.*Divide percentages by 100",
    ),
    "no score": (lambda: score_rows(score=None), "line 2: score: found nothing"),
    "words": (
        lambda: score_rows(score="high"),
        "line 2: score: found 'high'; expected a number",
    ),
    "unknown family": (
        lambda: score_rows(family=None),
        "line 2: family: found nothing.* neither registry nor study knows 'p0'",
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
    "chance": (lambda: score_rows(chance=25), "line 2: chance: found '25'"),
    "stderr": (lambda: score_rows(stderr=3), "line 2: stderr: found '3'"),
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
    "a score below chance correction": (
        lambda: score_rows(score=-0.2),
        r"line 2: score: found '-0\.2'; expected a score from 0 to 1\..*--range LOWEST HIGHEST",
    ),
    "infinity": (lambda: score_rows(score="inf"), "line 2: score: found 'inf'; expected a number"),
    "underscores": (lambda: score_rows(score="0_5"), "line 2: score: found '0_5'"),
    "true": (lambda: score_rows(score="True"), "line 2: score: found 'True'; expected a number"),
    "Arabic digits": (lambda: score_rows(score="٠.٥"), "line 2: score: found"),
    "half a draw": (lambda: score_rows(draw="0.5"), "line 2: draw: found '0.5'; expected a whole"),
    "a draw below 0": (lambda: score_rows(draw=-1), "line 2: draw: found '-1"),
    "half an item": (lambda: score_rows(n_items="1.5"), "line 2: n_items: found '1.5'"),
    "no items": (lambda: score_rows(n_items=0), "line 2: n_items: found '0"),
    "no parameters": (lambda: score_rows(params_b=0), "line 2: params_b: found '0"),
    "negative size": (lambda: score_rows(params_b=-7), "line 2: params_b: found '-7"),
    "negative error": (lambda: score_rows(stderr=-0.1), "line 2: stderr: found '-0.1'"),
    "negative chance": (lambda: score_rows(chance=-0.1), "line 2: chance: found '-0.1'"),
    "control characters": (
        lambda: score_rows(pair="\x1b[31mred"),
        "line 2: pair: found .*expected a name: text that prints",
    ),
    "space": (lambda: score_rows(task=" t"), "line 2: task: found ' t'; expected a name"),
    "two lines": (lambda: score_rows(source="a\nb"), "line 2: source: found .*text that prints"),
    "another metric": (
        lambda: score_rows(metric="perplexity"),
        "line 2: score: found '0.3'; expected a metric in which more is better",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, tmp_path: Path) -> None:
    make, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        imported_csv(write_csv(tmp_path, make()))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"absent\.csv: found no such file"):
        imported_csv(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(StudyError, match=r"empty\.csv: found no table"):
        imported_csv(tmp_path / "empty.csv")


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
    (values,) = imported_csv(write_csv(tmp_path, pd.DataFrame([row]))).rows.to_dict("records")
    assert (values["family"], values["params_b"]) == (pair.family, pair.params_b)
    assert values["exposure"] == ""
    assert pd.isna(values["n_items"])
    assert pd.isna(values["draw"])


def test_what_the_analysis_writes_can_be_imported(folder: Path, tmp_path: Path) -> None:
    run = add_import(folder, imported_csv(write_csv(tmp_path, score_rows())))
    scores = load_scores(run)
    assert list(scores.columns) == list(SCORES)
    scores.to_csv(tmp_path / "again.csv", index=False)
    pd.testing.assert_frame_equal(imported_csv(tmp_path / "again.csv").rows, scores)
    assert [imported.form for imported in run.imports] == ["long form"]


def test_two_sources_may_not_contradict_each_other(folder: Path, tmp_path: Path) -> None:
    add_import(folder, imported_csv(write_csv(tmp_path, score_rows(), "one.csv")))
    other = imported_csv(write_csv(tmp_path, score_rows(score=0.9)[:1], "other.csv"))
    with pytest.raises(StudyError, match=r"other\.csv and .*one\.csv.*a contradiction"):
        add_import(folder, other)
    assert len(list((folder / "results" / "imports").iterdir())) == 1


NAMES = ("NA", "nan", "null", "2.10", "007", "true", "1e5", "=1+1", "-", "模型", 'a"b,c', "..")


def test_names_are_texts_whatever_they_look_like(folder: Path, tmp_path: Path) -> None:
    """From the file through the import and the tables to the file again, byte by byte."""
    parts = [
        score_rows().assign(
            pair=f"{name} {i}" if i else name, family=name, model=name, task=name, task_type=name,
            metric=name, source=name, params_b=1.0, chance=0.25,
        )[:2]
        for i, name in enumerate(NAMES)
    ]  # fmt: skip
    rows = pd.concat(parts)
    run = add_import(folder, imported_csv(write_csv(tmp_path, rows)))
    scores = load_scores(run)
    text = ["pair", "family", "model", "task", "task_type", "metric", "source"]
    for name in text:
        assert scores[name].tolist() == rows[name].tolist()
    write_frame(scores, tmp_path / "tables" / "scores.csv")
    again = imported_csv(tmp_path / "tables" / "scores.csv").rows
    pd.testing.assert_frame_equal(again, scores)


def test_metrics_that_may_be_negative(tmp_path: Path) -> None:
    rows = score_rows(score=-0.2).assign(metric="mcc")
    assert imported_csv(write_csv(tmp_path, rows)).rows["score"].min() == -0.2
    unknown = write_csv(tmp_path, score_rows(score=-0.2).assign(metric="mine"), "mine.csv")
    with pytest.raises(StudyError, match="a score of 'mine' from 0 to 1"):
        imported_csv(unknown)
    ranges = ScoreRanges.of(PUBLISHED, (-1.0, 1.0))
    assert read_csv(unknown, PUBLISHED, ranges).rows["score"].min() == -0.2


def test_arms_of_published_tables(tmp_path: Path) -> None:
    rows = score_rows()
    rows["arm"] = rows["role"].map({"base": "base-icl", "tuned": "tuned"})
    assert set(imported_csv(write_csv(tmp_path, rows)).rows["arm"]) == {"base-icl", "tuned"}
    rows["arm"] = rows["role"].map({"base": "mixed", "tuned": "tuned"})
    file = write_csv(tmp_path, rows)
    with pytest.raises(StudyError, match=r"line 2: arm: found 'mixed'.*`imported_arms`"):
        imported_csv(file)
    mixed = {"mixed": ImportedArm(role="base", description="shots differ between tasks")}
    study = PUBLISHED.model_copy(update={"imported_arms": mixed})
    assert set(imported_csv(file, study).rows["arm"]) == {"mixed", "tuned"}
    other = {"mixed": ImportedArm(role="tuned", description="shots differ between tasks")}
    with pytest.raises(StudyError, match="line 2: role: found 'base'; expected 'tuned'"):
        imported_csv(file, PUBLISHED.model_copy(update={"imported_arms": other}))


def test_pairs_of_the_study_are_known(make_run: MakeRun, tmp_path: Path) -> None:
    listed = [{"base": "b", "tuned": "t", "family": "f", "params_b": 1.5, "name": "p"}]
    study = read_study(make_run(pairs=listed))
    rows = score_rows()[:1].assign(pair="p").drop(columns=["family", "params_b"])
    row = imported_csv(write_csv(tmp_path, rows), study).rows.iloc[0]
    assert (row["family"], row["params_b"]) == ("f", 1.5)
