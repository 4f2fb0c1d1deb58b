"""Scores from elsewhere: the published tables from the command line, and every fault named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from analysis import load_scores
from analysis.data.families import Families
from analysis.pipeline import analyze_run
from analysis.statistics.power import power
from study.config.study import read_study
from study.errors import StudyError
from study.exchange.read_csv import read_long_form
from study.exchange.read_lm_eval import Given, read_lm_eval
from study.models.pairs import registry
from study.results.imported import read_imports, write_import
from study.results.schema import SCORES
from tests.conftest import ROOT, SHARED, Study

CONTRAST = {"name": "in-context", "x": "base-5shot", "y": "tuned-5shot"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A study of imported scores only."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "study.yaml").write_text(
        yaml.safe_dump({"name": "published", "contrasts": [CONTRAST]})
    )
    return folder


def rows(**changes: Any) -> pd.DataFrame:
    """Six pairs of three families on one task; `changes` replace a column's first value."""
    made = pd.DataFrame(
        [
            {"pair": f"p{i}", "family": f"f{i % 3}", "params_b": 1.0 + i, "role": role,
             "arm": f"{role}-5shot", "task": "t", "task_type": "facts", "chance": 0.25,
             "score": 0.3 + 0.1 * i + (0.03 * (i % 2) if role == "tuned" else 0.0)}
            for i in range(6) for role in ("base", "tuned")
        ]
    )  # fmt: skip
    for name, value in changes.items():
        made[name] = made[name].astype(object) if name in made else None
        made.loc[0, name] = value
    return made


def written(folder: Path, table: pd.DataFrame, name: str = "scores.csv") -> Path:
    table.to_csv(folder / name, index=False)
    return folder / name


def test_import_and_analyze(run: Path, tmp_path: Path, study_command: Study) -> None:
    file = written(tmp_path, rows())
    done = study_command("import", run, file)
    assert done.returncode == 0, done.stderr
    assert "12 scores of 6 pairs" in done.stderr
    done = study_command("analyze", run)
    assert done.returncode == 0, done.stderr
    assert (run / "figures" / "forest.pdf").exists()
    scores = load_scores(run)
    assert list(scores.columns) == list(SCORES)
    assert scores["exposure"].eq("").all()
    assert scores["n_items"].isna().all()
    again = study_command("import", run, file)
    assert again.returncode == 2
    assert "imported already" in again.stderr
    done = study_command("run", run)
    assert done.returncode == 2
    assert "imported scores" in done.stderr


def test_what_analysis_writes_can_be_imported(run: Path, tmp_path: Path) -> None:
    write_import(run, read_long_form(written(tmp_path, rows())))
    scores = load_scores(run)
    scores.to_csv(tmp_path / "again.csv", index=False)
    pd.testing.assert_frame_equal(read_long_form(tmp_path / "again.csv").rows, scores)
    assert [imported.form for imported in read_imports(run)] == ["long form"]


FAULTS: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "missing column": (lambda: rows().drop(columns="arm"), "arm: found no such column"),
    "unknown column": (lambda: rows().rename(columns={"score": "scores"}), "Did you mean 'score'"),
    "percent": (lambda: rows(score=71.3), r"line 2: score: found 71\.3.*divided by 100"),
    "no score": (lambda: rows(score=None), "line 2: score: found nothing"),
    "words": (lambda: rows(score="high"), "line 2: score: found 'high'; expected a number"),
    "unknown family": (lambda: rows(family=None), "line 2: family: found 'p0'.*registry"),
    "role": (lambda: rows(role="tuned"), "line 2: role: found 'tuned'; expected 'base'"),
    "arm": (lambda: rows(arm="base-fewshot"), "line 2: arm: found 'base-fewshot'"),
    "chance": (lambda: rows(chance=25), "line 2: chance: found 25"),
    "two chances": (lambda: rows(chance=0.5), r"task=t: chance: found 0\.25 and 0\.5"),
    "two families": (lambda: rows(family="f9"), "pair=p0: family: found f0 and f9; expected one"),
    "two sizes": (lambda: rows(params_b=70), r"pair=p0: params_b: found 1\.0 and 70\.0"),
    "two types": (lambda: rows(task_type="maths"), "task=t: task_type: found facts and maths"),
    "duplicate": (lambda: pd.concat([rows(), rows()[:1]]), "pair=p0.*found a duplicate: 2 rows"),
    "contradiction": (
        lambda: pd.concat([rows(), rows(score=0.9)[:1]]),
        r"found a contradiction: 2 rows with score 0\.3 and 0\.9",
    ),
    "nothing": (lambda: rows()[:0], "found no rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, run: Path, tmp_path: Path) -> None:
    make, words = FAULTS[fault]
    with pytest.raises(StudyError, match=words):
        read_long_form(written(tmp_path, make()))


MEAGRE: dict[str, Callable[[], pd.DataFrame]] = {
    "one family": lambda: rows().assign(family="f"),
    "two families": lambda: rows().assign(family=[f"f{i // 2 % 2}" for i in range(12)]),
    "two pairs": lambda: rows()[:4],
    "one pair": lambda: rows()[:2],
    "constant": lambda: rows().assign(score=0.5),
    "constant base": lambda: rows().assign(
        score=lambda t: t["score"].where(t["role"] == "tuned", 0.4)
    ),
    "perfect": lambda: rows().assign(score=[0.3 + 0.1 * (i // 2) for i in range(12)]),
    "no errors": lambda: rows().assign(stderr=0.0),
    "much error": lambda: rows().assign(stderr=0.4),
    "all at the ceiling": lambda: rows().assign(score=[1 - 0.001 * i for i in range(12)]),
    "no sizes": lambda: rows().drop(columns="params_b"),
    "two tasks": lambda: pd.concat([
        rows(),
        rows().assign(task="u", task_type="maths", score=[0.9 - 0.05 * i for i in range(12)]),
    ]),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", MEAGRE)
def test_meagre_scores_are_not_estimable_by_name(kind: str, run: Path, tmp_path: Path) -> None:
    """Every table and figure is there; whatever has no number says why."""
    write_import(run, read_long_form(written(tmp_path, MEAGRE[kind]())))
    said = analyze_run(run)
    assert "in-context" in said
    for name, number in (("correlations", "estimate"), ("correlations", "low"),
                         ("robustness", "estimate"), ("robustness", "low"),
                         ("summaries", "estimate"), ("cell_model", "estimate")):  # fmt: skip
        table = pd.read_csv(run / "tables" / f"{name}.csv", keep_default_na=True)
        assert len(table)
        empty = table[table[number].isna()]
        if name == "cell_model":
            empty = empty[~empty["effect"].astype(str).str.startswith("deviation")]
        if (name, number) == ("summaries", "low"):
            empty = empty[empty["scale"] != "F"]
        assert empty["note"].notna().all(), (name, number, empty.to_string())
    assert len(list((run / "figures").glob("*.png"))) >= 8


def test_two_sources_may_not_contradict_each_other(run: Path, tmp_path: Path) -> None:
    write_import(run, read_long_form(written(tmp_path, rows(), "one.csv")))
    other = read_long_form(written(tmp_path, rows(score=0.9)[:1], "other.csv"))
    with pytest.raises(StudyError, match=r"other\.csv and .*one\.csv.*a contradiction"):
        write_import(run, other)
    assert len(list(read_imports(run))) == 1


def test_a_tuned_model_without_its_base_is_left_out(run: Path, tmp_path: Path) -> None:
    from analysis.tables.correlations import correlations
    from study.config.analysis import Contrast

    table = rows()
    write_import(
        run,
        read_long_form(written(tmp_path, table[~((table.pair == "p5") & (table.role == "base"))])),
    )
    frame = correlations(load_scores(run), [Contrast(**CONTRAST)])
    assert frame["n_pairs"].eq(5).all()


def published(file: str) -> pd.DataFrame:
    """A published table in the long form, primary pairs."""
    path = SHARED / "data" / f"{file}_pairs.csv"
    if not path.exists():
        pytest.skip("the published scores are not at hand")
    table = pd.read_csv(path)
    table = table[
        (table["primary"] == 1) & table[["base_score", "instruct_score"]].notna().all(axis=1)
    ]
    sides = []
    for role, of in (("base", "base"), ("tuned", "instruct")):
        sides.append(pd.DataFrame({
            "pair": table["instruct_model"], "family": table["family"],
            "params_b": table["params_b"], "model": table[f"{of}_model"], "role": role,
            "arm": [f"{role}-{int(n)}shot" for n in table[f"n_shot_{of}"]], "task": table["task"],
            "task_type": table["task_type"], "score": table[f"{of}_score"],
            "stderr": table[f"{of}_stderr"], "n_items": table["n_items"],
            "chance": table["chance"], "metric": table["metric"], "source": table["source"],
        }))  # fmt: skip
    return pd.concat(sides)


# As shared/data/README.md gives them: Pearson and Spearman across pairs.
PUBLISHED = {
    "openllm_v1": {
        "arc_challenge": (0.97, 0.96), "hellaswag": (0.97, 0.96), "mmlu": (0.97, 0.96),
        "winogrande": (0.96, 0.95), "gsm8k": (0.76, 0.79), "truthfulqa": (0.74, 0.75),
    },
    "swallow_v1": {
        "MMLU": (0.98, 0.99), "TriviaQA": (0.98, 0.98), "MGSM": (0.92, 0.92), "MATH": (0.91, 0.91),
        "GSM8K": (0.85, 0.86), "SQuAD2": (0.66, 0.78), "BBH": (0.66, 0.71), "XL-Sum": (0.75, 0.73),
    },
}  # fmt: skip


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_tables_from_the_command_line(
    file: str, run: Path, tmp_path: Path, study_command: Study
) -> None:
    table = published(file)
    shots = sorted({arm.split("-")[1] for arm in table["arm"]})
    contrasts = [{"name": n, "x": f"base-{n}", "y": f"tuned-{n}"} for n in shots]
    (run / "study.yaml").write_text(yaml.safe_dump({"name": "published", "contrasts": contrasts}))
    for command in (("import", run, written(tmp_path, table)), ("analyze", run)):
        done = study_command(*command)
        assert done.returncode == 0, done.stderr
    frame = pd.read_csv(run / "tables" / "correlations.csv", keep_default_na=False, na_values=[""])
    frame = frame[(frame["level"] == "task") & (frame["corrected"] == "none")]
    for task, expected in PUBLISHED[file].items():
        own = frame[frame["task"].str.lower().str.startswith(task.lower())]
        assert own["task"].nunique() == 1, (task, sorted(frame["task"].unique()))
        for coefficient, value in zip(("pearson", "spearman"), expected, strict=True):
            found = own.loc[own["coefficient"] == coefficient, "estimate"].item()
            assert round(found, 2) == value, (task, coefficient, found)


def lm_eval_results(folder: Path, **changes: Any) -> Path:
    """A results file as lm-eval 0.4.13 writes it, of a model of the registry."""
    content = {
        "results": {"arc_challenge": {"alias": "arc_challenge", "acc,none": 0.5,
                    "acc_stderr,none": 0.01, "acc_norm,none": 0.55, "acc_norm_stderr,none": 0.01}},
        "group_subtasks": {}, "n-shot": {"arc_challenge": 25},
        "n-samples": {"arc_challenge": {"original": 1172, "effective": 1172}},
        "config": {"model": "hf", "model_args": {"pretrained": "meta-llama/Llama-3.2-1B"}},
        "model_name": "meta-llama/Llama-3.2-1B", "chat_template": None,
        "fewshot_as_multiturn": True, "lm_eval_version": "0.4.13", **changes,
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(content))
    return folder


def test_lm_eval_results_are_placed_by_the_registry(run: Path, tmp_path: Path) -> None:
    study = read_study(run)
    imported = read_lm_eval(lm_eval_results(tmp_path / "one"), study, run)
    assert set(imported.rows["pair"]) == {
        pair.name for pair in registry() if pair.base.path == "meta-llama/Llama-3.2-1B"
    }
    row = imported.rows.iloc[0]
    assert (row["arm"], row["score"], row["stderr"], row["n_items"]) == (
        "base-25shot", 0.55, 0.01, 1172,
    )  # fmt: skip
    tuned = {"pretrained": "meta-llama/Llama-3.2-1B-Instruct"}
    chat = {"chat_template": "{{ }}", "fewshot_as_multiturn": False}
    folder = lm_eval_results(tmp_path / "two", config={"model_args": tuned}, **chat)
    rows_of_tuned = read_lm_eval(folder, study, run).rows
    assert set(rows_of_tuned["arm"]) == {"tuned-25shot-chat-oneturn"}
    given = Given("mine", "tuned", "f", 1.0)
    own = read_lm_eval(lm_eval_results(tmp_path / "one"), study, run, given).rows
    assert list(own["pair"]) == ["mine"]


LM_EVAL_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown model": ({"config": {}, "model_name": "me/mine"}, "'me/mine', a model of no pair"),
    "unknown task": ({"results": {"arc_chalenge": {}}}, "Did you mean 'arc_challenge'"),
    "no metric": ({"results": {"arc_challenge": {"acc,none": 0.5}}}, "the metric 'acc_norm' once"),
    "percent": ({"results": {"arc_challenge": {"acc_norm,none": 55.0}}}, "from 0 to 1"),
    "template on a base": ({"chat_template": "{{ }}"}, "no chat template on a base arm"),
}


@pytest.mark.parametrize("fault", LM_EVAL_FAULTS)
def test_faults_of_lm_eval_results_are_named(fault: str, run: Path, tmp_path: Path) -> None:
    changes, words = LM_EVAL_FAULTS[fault]
    with pytest.raises(StudyError, match=words):
        read_lm_eval(lm_eval_results(tmp_path / "out", **changes), read_study(run), run)


def test_an_empty_folder_holds_no_results(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"no results_\*\.json"):
        read_lm_eval(tmp_path / "empty", read_study(run), run)


def test_export_and_import_again(run: Path, tmp_path: Path, study_command: Study) -> None:
    write_import(run, read_lm_eval(lm_eval_results(tmp_path / "one"), read_study(run), run))
    scores = load_scores(run)
    done = study_command("export", run, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    long_form = read_long_form(tmp_path / "out" / "scores.csv").rows
    pd.testing.assert_frame_equal(long_form, scores)
    back = read_lm_eval(tmp_path / "out", read_study(run), run).rows
    same = ["pair", "arm", "task", "score", "stderr", "chance", "metric"]
    pd.testing.assert_frame_equal(back[same], scores[same])


def test_power_of_a_study(study_command: Study) -> None:
    done = study_command("power", ROOT / "runs/demo")
    assert done.returncode == 0, done.stderr
    assert "31 pairs of 6 families" in done.stdout
    assert "no p can be below .031" in done.stdout
    families = Families.of([f"f{i}" for i in range(85)])
    alone = power(families, items=10**9)
    assert alone.independent == 85
    assert alone.rows.loc[0, "power"] == pytest.approx(0.8, abs=0.01)
    assert alone.rows.loc[0, "pairs_needed"] == 85
    related = power(Families.of([f"f{i % 17}" for i in range(85)]), items=100)
    assert related.independent == pytest.approx(85 / 3)
    assert (related.rows["power"] < alone.rows["power"] + 1e-9).all()
