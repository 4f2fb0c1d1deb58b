"""Results of lm-eval: placed by the registry or by the user, with every fault named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from study.config.study import read_study
from study.config.tasks import ListedTask
from study.errors import StudyError
from study.exchange.lm_eval_models import GivenPair, given_pair
from study.models.pairs import registry, zoo
from tests.conftest import MakeRun
from tests.study.exchange.score_files import (
    BASE,
    PUBLISHED,
    imported_lm_eval,
    write_lm_eval_results,
)


def test_a_model_is_placed_by_the_registry(folder: Path, tmp_path: Path) -> None:
    imported = imported_lm_eval(write_lm_eval_results(tmp_path / "out"))
    assert set(imported.rows["pair"]) == {
        pair.name for pair in registry() if pair.base.path == BASE
    }
    row = imported.rows.iloc[0]
    assert (row["arm"], row["score"], row["stderr"], row["n_items"]) == (
        "base-25shot",
        0.55,
        0.01,
        1172,
    )
    assert (row["draw"], row["source"], row["metric"]) == (0, "lm-eval 0.4.13", "acc_norm")


def test_chat_template_and_turns_decide_the_arm(folder: Path, tmp_path: Path) -> None:
    def arms(name: str, shots: int, **changes: Any) -> set[str]:
        changes |= {
            "config": {"model_args": {"pretrained": f"{BASE}-Instruct"}},
            "model_name": f"{BASE}-Instruct",
            "n-shot": {"arc_challenge": shots},
        }
        out = write_lm_eval_results(tmp_path / name, **changes)
        return set(imported_lm_eval(out).rows["arm"])

    one_turn = {"chat_template": "{{ }}", "fewshot_as_multiturn": False}
    assert arms("one", 25, **one_turn) == {"tuned-25shot-chat-oneturn"}
    assert arms("none", 0, **one_turn) == {"tuned-0shot-chat"}
    assert arms("turns", 25, chat_template="{{ }}") == {"tuned-25shot-chat"}
    assert arms("plain", 25) == {"tuned-25shot"}


def test_a_given_pair_takes_precedence(folder: Path, tmp_path: Path) -> None:
    given = GivenPair("mine", "tuned", "f", 1.0)
    out = write_lm_eval_results(tmp_path / "out")
    (row,) = imported_lm_eval(out, given=given).rows.to_dict("records")
    assert (row["pair"], row["role"], row["family"], row["params_b"]) == ("mine", "tuned", "f", 1.0)


def test_a_model_may_be_a_folder_or_of_the_study(make_run: MakeRun, tmp_path: Path) -> None:
    study = read_study(make_run())
    pair = zoo()[0]
    out = write_lm_eval_results(
        tmp_path / "out",
        config={"model_args": {"pretrained": pair.base.path}},
        model_name=pair.base.path,
    )
    rows = imported_lm_eval(out, study).rows
    assert pair.name in set(rows["pair"])
    assert set(rows["role"]) == {"base"}


def test_means_of_groups_are_skipped(folder: Path, tmp_path: Path) -> None:
    out = write_lm_eval_results(tmp_path / "out")
    file = next(out.glob("results_*.json"))
    content = json.loads(file.read_text())
    content["results"]["group"] = {"acc,none": 0.4}
    content["group_subtasks"] = {"group": ["arc_challenge"]}
    file.write_text(json.dumps(content))
    assert set(imported_lm_eval(out).rows["task"]) == {"arc_challenge"}
    assert set(imported_lm_eval(file).rows["task"]) == {"arc_challenge"}


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown model": (
        {"config": {}, "model_name": "me/mine"},
        "'me/mine', a model of no known pair.*--pair, --role, --family, --params-b",
    ),
    "unknown task": ({"results": {"arc_chalenge": {}}}, "Did you mean 'arc_challenge'"),
    "no metric": (
        {"results": {"arc_challenge": {"acc,none": 0.5}}},
        "found 'acc,none'; expected the metric 'acc_norm' once",
    ),
    "percent": (
        {"results": {"arc_challenge": {"acc_norm,none": 55.0}}},
        r"results\.arc_challenge\.acc_norm,none: found 55\.0; expected a score of 'acc_norm' from "
        "0 to 1. Percentages need `scale: 0.01`",
    ),
    "template on a base": ({"chat_template": "{{ }}"}, "no chat template on a base arm"),
    "true for a score": (
        {"results": {"arc_challenge": {"acc_norm,none": True}}},
        r"acc_norm,none: found True; expected a number",
    ),
    "NaN": (
        {"results": {"arc_challenge": {"acc_norm,none": float("nan")}}},
        r"acc_norm,none: found nan; expected a finite number",
    ),
    "infinite error": (
        {"results": {"arc_challenge": {"acc_norm,none": 0.5, "acc_norm_stderr,none": 1e999}}},
        "acc_norm_stderr,none: found inf; expected a finite number",
    ),
    "negative error": (
        {"results": {"arc_challenge": {"acc_norm,none": 0.5, "acc_norm_stderr,none": -0.1}}},
        r"acc_norm_stderr,none: found -0\.1; expected a standard error",
    ),
    "no results": ({"results": {}}, "results: found a mapping of 0"),
    "results in a list": ({"results": []}, "results: found a list of 0; expected a mapping"),
    "no mapping": ({"results": {"arc_challenge": 1}}, "found 1; expected a mapping"),
    "part of an item": (
        {"n-samples": {"arc_challenge": {"effective": 1.5}}},
        r"n-samples\.arc_challenge\.effective: found 1\.5; expected a whole number",
    ),
    "no items": (
        {"n-samples": {"arc_challenge": {"effective": 0}}},
        r"effective: found 0; expected a whole number of at least 1",
    ),
    "more items than there are": (
        {"n-samples": {"arc_challenge": {"original": 2, "effective": 3}}},
        "effective: found 3; expected at most 2",
    ),
    "part of a demonstration": (
        {"n-shot": {"arc_challenge": 2.5}},
        r"n-shot\.arc_challenge: found 2\.5; expected a whole number",
    ),
    "negative shots": ({"n-shot": {"arc_challenge": -1}}, "found -1; expected a whole number"),
    "no shots": ({"n-shot": {"arc_easy": 0}}, "expected the number of demonstrations"),
    "too many shots": ({"n-shot": {"arc_challenge": 1000}}, "found arm 'base-1000shot'"),
    "no name": ({"config": {}, "model_name": ""}, "model_name: found ''; expected a name"),
    "two models": (
        {"model_name": "me/mine"},
        r"model_name: found 'me/mine'; expected the model that config\.model_args\.pretrained",
    ),
    "control characters": (
        {"config": {}, "model_name": "\x1b[31m"},
        "model_name: found .*expected a name: text that prints",
    ),
    "NUL": ({"config": {}, "model_name": "/a\0b"}, "expected a name: text that prints"),
    "an adapter": (
        {
            "config": {"model_args": f"pretrained={BASE},peft=me/adapter"},
            "model_name": "me/adapter",
        },
        "'me/adapter', a model of no known pair",
    ),
    "a checkpoint": (
        {"config": {"model_args": {"pretrained": BASE, "revision": "step1000"}}},
        f"'{BASE}' at revision 'step1000', a model of no known pair",
    ),
    "less is better": (
        {"higher_is_better": {"arc_challenge": {"acc_norm": False}}},
        r"acc_norm: found False; expected a metric in which more is better",
    ),
    "no text": (
        {"lm_eval_version": ["0.4"]},
        "found a list of 1; expected a text",
    ),
    "group": ({"group_subtasks": {"arc_challenge": "all"}}, "expected a list of str"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, folder: Path, tmp_path: Path) -> None:
    changes, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        imported_lm_eval(write_lm_eval_results(tmp_path / "out", **changes))


def test_files_that_hold_no_results(folder: Path, tmp_path: Path) -> None:
    study, out = read_study(folder), tmp_path / "out"
    out.mkdir()
    with pytest.raises(StudyError, match=r"no results_\*\.json"):
        imported_lm_eval(out, study)
    file = out / "results_1.json"
    for text, message in (
        ("{", "not JSON"),
        ("{}", "results: found nothing"),
        ("[]", "list of 0"),
    ):
        file.write_text(text)
        with pytest.raises(StudyError, match=message):
            imported_lm_eval(out, study)


def test_arguments_may_be_one_text(tmp_path: Path) -> None:
    config = {"model_args": f"pretrained={BASE},dtype=bfloat16,revision=main"}
    rows = imported_lm_eval(write_lm_eval_results(tmp_path / "out", config=config)).rows
    assert set(rows["model"]) == {BASE}


def test_contents_that_are_no_results(tmp_path: Path) -> None:
    file = write_lm_eval_results(tmp_path / "out") / "results_2026-01-01T00-00-00.json"
    text = file.read_text()
    repeated = text.replace('"results":', '"results": {}, "results":')
    for content, message in (
        (text[:-20].encode(), "found not JSON"),
        (text.replace("acc", "ac\xe9").encode("latin-1"), "found not JSON .*utf-8"),
        (b"[" * 100_000, "brackets nested too deeply"),
        (repeated.encode(), "the key 'results' stands twice"),
    ):
        file.write_bytes(content)
        with pytest.raises(StudyError, match=message):
            imported_lm_eval(file.parent)
    file.unlink()
    file.mkdir()
    with pytest.raises(StudyError, match="found no file; expected a file of JSON"):
        imported_lm_eval(file.parent)


def test_folders_that_loop(tmp_path: Path) -> None:
    out = write_lm_eval_results(tmp_path / "out")
    (out / "loop").symlink_to(out, target_is_directory=True)
    rows = imported_lm_eval(out).rows
    assert not rows.duplicated(["pair", "arm", "task"]).any()
    (out / "results_loop.json").symlink_to(out / "results_loop.json")
    with pytest.raises(StudyError, match=r"results_loop\.json: found no file"):
        imported_lm_eval(out)


def test_results_of_two_models_have_no_one_pair(tmp_path: Path) -> None:
    write_lm_eval_results(tmp_path / "out")
    other = write_lm_eval_results(tmp_path / "out" / "other", config={}, model_name="me/mine")
    given = GivenPair("mine", "base", "f", 1.0)
    with pytest.raises(StudyError, match=f"results of 2 models: 'me/mine', '{BASE}'"):
        imported_lm_eval(tmp_path / "out", given=given)
    assert set(imported_lm_eval(other, given=given).rows["model"]) == {"me/mine"}


def test_two_evaluations_of_a_model_contradict_each_other(tmp_path: Path) -> None:
    write_lm_eval_results(tmp_path / "out" / "one")
    result = {"arc_challenge": {"acc_norm,none": 0.6}}
    write_lm_eval_results(tmp_path / "out" / "two", results=result)
    with pytest.raises(StudyError, match=r"one/results_.* and .*two/results_.*a contradiction"):
        imported_lm_eval(tmp_path / "out")


def test_scores_below_zero_of_a_task_with_a_range(tmp_path: Path) -> None:
    task = {"task": "kappa", "task_type": "t", "metric": "kappa", "chance": 0}
    out = write_lm_eval_results(
        tmp_path / "out",
        results={"kappa": {"kappa,none": -0.2, "kappa_stderr,none": 1.1}},
        **{"n-shot": {"kappa": 0}, "n-samples": {}},
    )
    study = PUBLISHED.model_copy(update={"tasks": [ListedTask(**task)]})
    assert set(imported_lm_eval(out, study).rows["score"]) == {-0.2}
    unit = PUBLISHED.model_copy(update={"tasks": [ListedTask(**task, range=[0, 1])]})
    with pytest.raises(StudyError, match=r"found -0\.2; expected a score of 'kappa' from 0 to 1"):
        imported_lm_eval(out, unit)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("", "base", "", math.nan), "--pair: found nothing"),
        (("p", "other", "f", 1.0), "expected --role base or tuned"),
        (("p", "base", "", 1.0), "expected --role base or tuned, and --family"),
        (("p\n", "base", "f", 1.0), "--pair: found .*expected a name"),
        (("p", "base", " f", 1.0), "--family: found ' f'; expected a name"),
        (("p", "base", "f", -1.0), r"--params-b: found -1\.0; expected a number above 0"),
        (("p", "base", "f", math.inf), "--params-b: found inf"),
    ],
)
def test_options_that_name_no_pair(options: tuple[str, str, str, float], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        given_pair(*options)


def test_a_size_may_be_unknown() -> None:
    assert given_pair("", "", "", math.nan) is None
    given = given_pair("p", "base", "f", math.nan)
    assert given is not None
    assert math.isnan(given.params_b)
