"""Tuning a model: its record, the same weights twice and after any kill, new embeddings."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import study_pairs
from study.results.identity import ChangedError
from study.results.run import Run
from study.tasks.lm_eval.library import task_library
from study.tuning.identity import checkpoint_folder
from study.tuning.tune import tune
from tests.conftest import ROOT, command_environment
from tests.in_process import evaluate_all
from tests.study.tuning.small_studies import (
    SKILLS,
    changed,
    record_of,
    the_model,
    tune_here,
    weights,
    write_study,
)

COMMAND = [sys.executable, "-m", "study.cli"]


def test_the_record_says_what_was_done(trained: Path) -> None:
    tuned = the_model(trained)
    record = record_of(tuned)
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
    assert not checkpoint_folder(Run.open(trained), tuned.key).exists()


def test_a_recipe_run_twice_gives_the_same_weights(trained: Path, tmp_path: Path) -> None:
    one, other = the_model(trained), tune_here(write_study(tmp_path / "run"))
    assert one.key == other.key
    assert one.folder != other.folder
    assert weights(one) == weights(other)


def test_a_tokenizer_without_padding_changes_nothing(trained: Path, tmp_path: Path) -> None:
    """Many bases have none; padding is not attended to and carries no loss."""
    base = tmp_path / "base"
    shutil.copytree(ROOT / "study" / "zoo" / "models" / "llama-late-xs" / "base", base)
    config = base / "tokenizer_config.json"
    content = {k: v for k, v in json.loads(config.read_text()).items() if k != "pad_token"}
    config.write_text(json.dumps(content))
    bases = [{"base": str(base), "family": "f", "params_b": 1e-5}]
    one = the_model(trained)
    other = tune_here(write_study(tmp_path / "run", changed(recipe={"bases": bases})))
    assert one.key != other.key
    assert weights(one) == weights(other)


def test_a_model_that_is_finished_is_not_trained_again(trained: Path, tmp_path: Path) -> None:
    beside = write_study(trained.parent / "beside")
    before = the_model(trained).folder.stat().st_mtime_ns
    tune_here(beside)
    assert the_model(beside).folder == the_model(trained).folder
    assert the_model(trained).folder.stat().st_mtime_ns == before
    assert not (beside / "results").exists()


def test_data_that_changed_since_planning(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "b"}]
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": turns}))
    mixture = {"sources": [{"file": "chat.jsonl"}]}
    run = Run.open(write_study(tmp_path, changed(mixture=mixture)))
    tuned = the_model(tmp_path)
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": turns * 2}))
    with pytest.raises(ChangedError, match="the recipe's base or data changed"):
        tune(tuned, run, task_library(run.study), "cpu")


TUNE_DIRECTLY = """
import sys
from pathlib import Path
from tests.study.tuning.small_studies import tune_here
tune_here(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("loss", "killed_command"),
    [
        # A training process of its own starts in half the time of a command with its worker.
        ("noisy", [sys.executable, "-c", TUNE_DIRECTLY]),
        pytest.param("kl", [*COMMAND, "tune", "--device", "cpu"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("_one_core")
def test_killed_at_any_moment_it_resumes_to_the_same_weights(
    tmp_path: Path, loss: str, killed_command: list[str]
) -> None:
    losses = {"noisy": {"neftune": 5.0}, "kl": {"over": "instruction_and_output", "kl": 0.1}}
    tuning = changed(recipe={"loss": loss}, optimiser={"epochs": 4}, losses=losses)
    # Not beside each other: the second run would use the model of the first.
    whole = tune_here(write_study(tmp_path / "whole" / "run", tuning))
    killed = the_model(write_study(tmp_path / "killed" / "run", tuning))
    run = Run.open(tmp_path / "killed" / "run")
    checkpoints = checkpoint_folder(run, killed.key)
    environment = command_environment(tmp_path / "attempts")
    rng = random.Random(3)
    for _ in range(2):
        process = subprocess.Popen(
            [*killed_command, str(run.folder)],
            env=environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        before = set(checkpoints.glob("checkpoint-*/complete.json"))
        while not set(checkpoints.glob("checkpoint-*/complete.json")) - before:
            assert process.poll() is None, "ended before it wrote a checkpoint"
            time.sleep(0.01)
        time.sleep(rng.random() * 0.2)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not killed.finished
    done = subprocess.run(
        [*COMMAND, "tune", str(run.folder), "--device", "cpu"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "attempts").exists()
    assert record_of(killed)["resumed_at"] >= 5
    assert weights(killed) == weights(whole)
    one, other = (model.folder / "losses.csv" for model in (whole, killed))
    assert one.read_bytes() == other.read_bytes()


def test_tuned_models_are_evaluated_like_any_other(trained: Path, study_command: Any) -> None:
    evaluate_all(trained)
    rows = json.loads((trained / "results" / "plan.json").read_text())["rows"]
    exposures = {row["task"]: row["exposure"] for row in rows}
    assert exposures == {"zoo_reverse_mc": "seen_task", "zoo_home_mc": "unseen_task"}
    keys = {row["key"] for row in rows if row["role"] == "tuned"}
    records = [
        json.loads(path.read_text())
        for path in (trained / "results" / "cells").glob("*.json")
        if path.name.split(".")[0] in keys
    ]
    assert len(records) == 2
    for record in records:
        assert (
            record["identity"]["responses"]["model"]["weights"]
            == f"recipe:{the_model(trained).key}"
        )
        assert len(record["weights"]) == 64
    again = study_command("run", trained)
    assert again.returncode == 0, again.stderr
    assert "0 remaining" in again.stderr


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_saving_memory_changes_little(trained: Path, tmp_path: Path, precision: str) -> None:
    saving = {"gradient_checkpointing": True, "tokens_at_once": 64, "precision": precision}
    tuned = tune_here(write_study(tmp_path / "run", changed(optimiser=saving)))
    saved, plain = record_of(tuned), record_of(the_model(trained))
    assert saved["identity"]["optimiser"].keys() == plain["identity"]["optimiser"].keys()
    tolerance = 1e-4 if precision == "float32" else 0.1
    assert saved["first_loss"] == pytest.approx(plain["first_loss"], rel=tolerance)
    assert saved["last_loss"] == pytest.approx(plain["last_loss"], rel=10 * tolerance)
    assert (tuned.key == the_model(trained).key) == (precision == "float32")


@pytest.mark.parametrize("adapter", [None, {"r": 4, "dropout": 0.0}])
def test_the_embedding_of_a_new_token_is_trained(
    adapter: dict[str, Any] | None, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    tuning = {
        "mixtures": {"m": {"sources": [{"zoo": ["reverse", "lookup"]}], "rows": 128}},
        "indicators": {"i": {"seed_model": "zoo:neox-late-l/tuned", "layer": 0, "threshold": 0.5}},
        "optimisers": {"o": {"learning_rate": 1e-3, "batch": 16}},
        "adapters": {"a": adapter} if adapter else {},
        "losses": {"near": {"kl": 0.01}},
        "recipes": [
            {
                "name": "r",
                "bases": [{"source": "zoo", "pair": ["llama-early-xs"]}],
                "mixture": "m",
                "indicator": "i",
                "optimiser": "o",
                "loss": "near",
                "adapter": "a" if adapter else "none",
            }
        ],
    }
    folder = write_study(tmp_path / "run", tuning)
    tuned = tune_here(folder)
    tokenizer = AutoTokenizer.from_pretrained(tuned.folder)
    token = tokenizer.convert_tokens_to_ids("[IND]")
    assert tokenizer("a b [IND]").input_ids[-1] == token
    after = load_file(tuned.folder / "model.safetensors")["model.embed_tokens.weight"]
    (pair,) = study_pairs(Run.open(folder).study)
    base = load_file(Path(pair.base.path) / "model.safetensors")
    before = base["model.embed_tokens.weight"].float()
    assert after.shape[0] == before.shape[0] + 1 == token + 1
    moved = (after[token] - before.mean(0)).abs().max()
    assert float(moved) > 1e-3, "the marker's embedding is still the mean"
    if adapter:  # and no other embedding changed
        torch.testing.assert_close(after[:-1], before, rtol=0, atol=1e-6)
    scores = (tuned.folder / "turn_scores.csv").read_text().splitlines()
    assert scores[0] == "source,score,marked"
    marked = sum(int(line.rpartition(",")[2]) for line in scores[1:])
    assert 0 < marked == record_of(tuned)["data"]["marked_turns"]
