"""Results of lm-eval: placed by the registry or by the user, with every fault named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from study.config.study import read_study
from study.errors import StudyError
from study.exchange.read_lm_eval import GivenPair, read_lm_eval
from study.models.pairs import registry, zoo
from tests.conftest import MakeRun
from tests.study.exchange.score_files import BASE, write_lm_eval_results


def test_a_model_is_placed_by_the_registry(folder: Path, tmp_path: Path) -> None:
    imported = read_lm_eval(write_lm_eval_results(tmp_path / "out"), read_study(folder))
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
            "n-shot": {"arc_challenge": shots},
        }
        out = write_lm_eval_results(tmp_path / name, **changes)
        return set(read_lm_eval(out, read_study(folder)).rows["arm"])

    one_turn = {"chat_template": "{{ }}", "fewshot_as_multiturn": False}
    assert arms("one", 25, **one_turn) == {"tuned-25shot-chat-oneturn"}
    assert arms("none", 0, **one_turn) == {"tuned-0shot-chat"}
    assert arms("turns", 25, chat_template="{{ }}") == {"tuned-25shot-chat"}
    assert arms("plain", 25) == {"tuned-25shot"}


def test_a_given_pair_takes_precedence(folder: Path, tmp_path: Path) -> None:
    given = GivenPair("mine", "tuned", "f", 1.0)
    out = write_lm_eval_results(tmp_path / "out")
    (row,) = read_lm_eval(out, read_study(folder), given).rows.to_dict("records")
    assert (row["pair"], row["role"], row["family"], row["params_b"]) == ("mine", "tuned", "f", 1.0)


def test_a_model_may_be_a_folder_or_of_the_study(make_run: MakeRun, tmp_path: Path) -> None:
    study = read_study(make_run())
    pair = zoo()[0]
    out = write_lm_eval_results(
        tmp_path / "out", config={"model_args": {"pretrained": pair.base.path}}
    )
    rows = read_lm_eval(out, study).rows
    assert pair.name in set(rows["pair"])
    assert set(rows["role"]) == {"base"}


def test_means_of_groups_are_skipped(folder: Path, tmp_path: Path) -> None:
    out = write_lm_eval_results(tmp_path / "out")
    file = next(out.glob("results_*.json"))
    content = json.loads(file.read_text())
    content["results"]["group"] = {"acc,none": 0.4}
    content["group_subtasks"] = {"group": ["arc_challenge"]}
    file.write_text(json.dumps(content))
    assert set(read_lm_eval(out, read_study(folder)).rows["task"]) == {"arc_challenge"}
    assert set(read_lm_eval(file, read_study(folder)).rows["task"]) == {"arc_challenge"}


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
        r"results\.arc_challenge\.acc_norm,none: found 55\.0; expected a fraction from 0 to 1",
    ),
    "template on a base": ({"chat_template": "{{ }}"}, "no chat template on a base arm"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault: str, folder: Path, tmp_path: Path) -> None:
    changes, message = FAULTS[fault]
    with pytest.raises(StudyError, match=message):
        read_lm_eval(write_lm_eval_results(tmp_path / "out", **changes), read_study(folder))


def test_files_that_hold_no_results(folder: Path, tmp_path: Path) -> None:
    study, out = read_study(folder), tmp_path / "out"
    out.mkdir()
    with pytest.raises(StudyError, match=r"no results_\*\.json"):
        read_lm_eval(out, study)
    file = out / "results_1.json"
    for text, message in (("{", "not JSON"), ("{}", "results: found no such key"), ("[]", "no su")):
        file.write_text(text)
        with pytest.raises(StudyError, match=message):
            read_lm_eval(out, study)
