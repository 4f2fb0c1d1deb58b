"""Training: the same weights twice, after any kill, and clear words where it cannot be."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.errors import StudyError
from study.planning.plan_study import planned, tune_planned
from study.planning.resolve_study import harness_of
from study.tuning.identity import TunedModel
from study.tuning.tune import read_record, tune
from tests.conftest import ROOT, command_environment

MakeRun = Callable[..., Path]
SKILLS = ["reverse", "category", "maximum"]
TUNING: dict[str, Any] = {
    "mixtures": {"three": {"sources": [{"zoo": SKILLS}], "rows": 320}},
    "optimisers": {
        "tiny": {"learning_rate": 2e-3, "batch": 16, "epochs": 2, "checkpoint_steps": 5}
    },
    "recipes": [
        {
            "name": "r",
            "bases": [{"source": "zoo", "pair": ["llama-late-xs"]}],
            "mixture": "three",
            "optimiser": "tiny",
        }
    ],
}


def changed(**parts: Any) -> dict[str, Any]:
    """`TUNING` with some of its parts changed: `recipe`, `optimiser`, `mixture`, or added."""
    whole = json.loads(json.dumps(TUNING))
    whole["recipes"][0].update(parts.pop("recipe", {}))
    whole["optimisers"]["tiny"].update(parts.pop("optimiser", {}))
    whole["mixtures"]["three"].update(parts.pop("mixture", {}))
    return {**whole, **parts}


def tuning_run(make_run: MakeRun, name: str = "run", **changes: Any) -> Path:
    return make_run(
        name, pairs=..., tuning=TUNING if "tuning" not in changes else changes.pop("tuning"),
        layout="zoo", tasks={"suite": "zoo_mc", "only": ["zoo_reverse_mc", "zoo_home_mc"]},
        **changes,
    )  # fmt: skip


def the_model(run: Path) -> TunedModel:
    (tuned,) = planned(run).resolved.tuned.values()
    return tuned


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model was tuned in one go."""
    run = tmp_path_factory.mktemp("plain") / "run"
    run.mkdir()
    content = {
        "name": "plain", "layout": "zoo", "tuning": TUNING,
        "arms": ["base-2shot", "tuned-0shot-chat"], "limit": 12, "draws": 1,
        "tasks": {"suite": "zoo_mc", "only": ["zoo_reverse_mc", "zoo_home_mc"]},
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    }  # fmt: skip
    (run / "study.yaml").write_text(yaml.safe_dump(content))
    _, events = tune_planned(planned(run), ["cpu"])
    assert [event.kind for event in events if event.kind in ("failed", "finished")] == ["finished"]
    return run


def test_the_record_says_what_was_done(plain: Path) -> None:
    tuned = the_model(plain)
    record = read_record(tuned.folder)
    assert record["steps"] == 40
    assert record["data"]["rows"] == 320
    assert set(record["data"]["sources"]) == set(SKILLS)
    assert sorted(record["data"]["sources"].values()) == [106, 107, 107]
    tokens = record["data"]["tokens"]
    assert tokens["carrying_loss"] == tokens["output"] > 640
    assert tokens["all"] == tokens["output"] + tokens["instruction"] + tokens["template"]
    assert record["last_loss"] < 0.5 * record["first_loss"]
    losses = (tuned.folder / "losses.csv").read_text().splitlines()
    assert len(losses) == 41
    assert float(losses[-1].split(",")[1]) == record["last_loss"]
    assert not (plain / "results" / "tuning" / tuned.key).exists()


def test_a_recipe_run_twice_gives_the_same_weights(plain: Path, make_run: MakeRun) -> None:
    again = tuning_run(make_run)
    _, events = tune_planned(planned(again), ["cpu"])
    list(events)
    one, other = the_model(plain), the_model(again)
    assert one.key == other.key
    assert weights(one.folder) == weights(other.folder)


def test_a_tokenizer_without_padding_changes_nothing(
    plain: Path, make_run: MakeRun, tmp_path: Path
) -> None:
    """Bases often have none; what pads a batch is seen by no token and carries no loss."""
    copied = tmp_path / "base"
    shutil.copytree(ROOT / "study" / "zoo" / "models" / "llama-late-xs" / "base", copied)
    config = copied / "tokenizer_config.json"
    kept = {k: v for k, v in json.loads(config.read_text()).items() if k != "pad_token"}
    config.write_text(json.dumps(kept))
    base = {"base": str(copied), "family": "f", "params_b": 1e-5}
    run = tuning_run(make_run, tuning=changed(recipe={"bases": [base]}))
    _, events = tune_planned(planned(run), ["cpu"])
    list(events)
    one, other = the_model(plain), the_model(run)
    assert one.key != other.key
    assert weights(one.folder) == weights(other.folder)


def test_a_model_tuned_in_a_run_beside_is_not_tuned_again(plain: Path) -> None:
    beside = plain.parent / "beside"
    beside.mkdir()
    (beside / "study.yaml").write_text((plain / "study.yaml").read_text())
    jobs, _ = tune_planned(planned(beside), ["cpu"])
    assert jobs == []
    assert the_model(beside).folder == the_model(plain).folder


@pytest.mark.parametrize("loss", ["noisy", pytest.param("kl", marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_goes_on_to_the_same_weights(
    make_run: MakeRun, tmp_path: Path, loss: str
) -> None:
    losses = {"noisy": {"neftune": 5.0}, "kl": {"over": "instruction_and_output", "kl": 0.1}}
    tuning = changed(recipe={"loss": loss}, optimiser={"epochs": 6}, losses=losses)
    whole = tuning_run(make_run, "whole", tuning=tuning)
    _, events = tune_planned(planned(whole), ["cpu"])
    list(events)
    broken = tuning_run(make_run, "broken", tuning=tuning)
    # Elsewhere, so that what the other run tuned is not found beside it.
    elsewhere = tmp_path / "elsewhere" / "broken"
    elsewhere.parent.mkdir()
    broken.rename(elsewhere)
    environment = command_environment(tmp_path / "attempts")
    rng, kills, resumed = random.Random(3), 0, 0
    folder = the_model(elsewhere).folder
    checkpoints = elsewhere / "results" / "tuning" / folder.name
    for _ in range(60):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "study.cli", "tune", str(elsewhere), "--device", "cpu"],
            env=environment, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        seen = set(checkpoints.glob("checkpoint-*/complete.json"))
        while process.poll() is None and kills < 2:
            if set(checkpoints.glob("checkpoint-*/complete.json")) - seen:
                time.sleep(rng.random() * 0.3)
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        if process.wait() == 0:
            break
    assert kills == 2
    resumed = read_record(folder)["resumed_at"]
    assert resumed >= 5
    assert weights(folder) == weights(the_model(whole).folder)
    one, other = (the_model(run).folder / "losses.csv" for run in (whole, elsewhere))
    assert one.read_bytes() == other.read_bytes()


def test_tuned_models_are_asked_like_any_other(plain: Path, study_command: Any) -> None:
    done = study_command("run", plain)
    assert done.returncode == 0, done.stderr
    rows = json.loads((plain / "results" / "plan.json").read_text())["rows"]
    exposures = {row["task"]: row["exposure"] for row in rows}
    assert exposures == {"zoo_reverse_mc": "seen_task", "zoo_home_mc": "unseen_task"}
    keys = {row["key"] for row in rows if row["role"] == "tuned"}
    records = [
        json.loads(path.read_text())
        for path in (plain / "results" / "cells").glob("*.json")
        if path.name.split(".")[0] in keys
    ]
    assert len(records) == 2
    for record in records:
        assert record["identity"]["model"]["weights"] == f"recipe:{the_model(plain).key}"
        assert len(record["weights"]) == 64
    again = study_command("run", plain)
    assert "0 left" in again.stderr


LONG = {"zoo": ["lookup"], "context": 2}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown mixture": (
        {"recipe": {"mixture": "tree"}},
        r"tuning: found a contradiction; expected recipes\[0\].mixture: one of 'three', "
        r"found 'tree'. Did you mean 'three'\?",
    ),
    "unknown skill": (
        {"mixture": {"sources": [{"zoo": ["revers"]}]}},
        r"tuning.mixtures.three.sources\[0\].zoo: found 'revers'; expected skills .*'reverse'\?",
    ),
    "unknown source left out": (
        {"mixture": {"without": ["strangs"]}},
        r"tuning.mixtures.three.without: found 'strangs'",
    ),
    "nothing left": (
        {"mixture": {"only": ["reverse"], "without": ["strings"]}},
        "found no source left",
    ),
    "longer than the window": (
        {"mixture": {"sources": [{**LONG, "context": 20}]}},
        r"a row of lookup with \d+ tokens; expected 160 at most.*longer: drop",
    ),
    "diverging": (
        {"optimiser": {"learning_rate": 900.0, "clip": 1e9, "warmup": 0}},
        r"found a loss of .* at step \d+.*expected a loss that falls.*learning_rate",
    ),
    "quantised without a GPU": (
        {"recipe": {"adapter": "four"}, "adapters": {"four": {"bits": 4}}},
        "tuning.adapters: bits: found 4, and no a GPU here",
    ),
    "unknown module": (
        {"recipe": {"adapter": "a"}, "adapters": {"a": {"modules": ["query"]}}},
        "found no module 'query' in the base model; expected modules such as",
    ),
    "empty mask": (
        {"optimiser": {"longest": 8}, "mixture": {"longer": "truncate", "sources": [LONG]}},
        "found no row that can be used: cut before any token that carries loss",
    ),
    "not a conversation": (
        {"mixture": {"sources": [{"file": "bad.jsonl"}]}},
        r"bad.jsonl: line 2: found the message .*expected an object with `messages`",
    ),
    "no file": (
        {"mixture": {"sources": [{"file": "nowhere.jsonl"}]}},
        "tuning.mixtures.three.sources.*nowhere.jsonl",
    ),
}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_memory_that_is_saved_changes_little(
    plain: Path, make_run: MakeRun, precision: str
) -> None:
    saving = {"gradient_checkpointing": True, "tokens_at_once": 64, "precision": precision}
    run = tuning_run(make_run, tuning=changed(optimiser=saving))
    tune_here(run)
    found, whole = read_record(the_model(run).folder), read_record(the_model(plain).folder)
    assert found["identity"]["optimiser"].keys() == whole["identity"]["optimiser"].keys()
    near = 1e-4 if precision == "float32" else 0.1
    assert found["first_loss"] == pytest.approx(whole["first_loss"], rel=near)
    assert found["last_loss"] == pytest.approx(whole["last_loss"], rel=10 * near)
    assert (the_model(run).key == the_model(plain).key) == (precision == "float32")


def tune_here(run: Path) -> None:
    """Plans and tunes in this process."""
    resolved = planned(run).resolved
    for tuned in resolved.tuned.values():
        tune(tuned, resolved.study, run, harness_of(resolved.study, run), "cpu")


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_one_clear_error(name: str, make_run: MakeRun) -> None:
    parts, said = BAD[name]
    run = tuning_run(make_run, tuning=changed(**json.loads(json.dumps(parts))))
    turns = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "b"}]
    (run / "bad.jsonl").write_text(
        json.dumps({"messages": turns}) + "\n" + json.dumps({"messages": [{"role": "bot"}]})
    )
    with pytest.raises(StudyError) as caught:
        tune_here(run)
    assert re.search(said, str(caught.value)), str(caught.value)
    assert not list(run.glob("results/tuned/*"))


@pytest.mark.parametrize("name", ["unknown skill", "diverging"])
def test_the_command_says_it_in_one_line(name: str, make_run: MakeRun, study_command: Any) -> None:
    """What is wrong with the file ends the command at once; what a training finds fails a model."""
    parts, said = BAD[name]
    run = tuning_run(make_run, tuning=changed(**json.loads(json.dumps(parts))))
    done = study_command("tune", run, "--device", "cpu")
    assert done.returncode == (2 if name == "unknown skill" else 1), done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(said, done.stderr.replace("\n", " ")), done.stderr


def test_a_checkpoint_of_another_recipe(make_run: MakeRun) -> None:
    run = tuning_run(make_run)
    checkpoint = run / "results" / "tuning" / the_model(run).key / "checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "complete.json").write_text(json.dumps({"key": "other", "losses": []}))
    with pytest.raises(StudyError, match="found a checkpoint of the recipe other; expected one of"):
        tune_here(run)
