"""What stands in a study's way, told before anything is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import zoo
from tests.conftest import Study

MakeRun = Callable[..., Path]
PAIR = zoo()[0]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A tuned model in a folder of its own."""
    folder = tmp_path / "own" / "tuned"
    shutil.copytree(PAIR.tuned.path, folder)
    return folder


def listed(tuned: Path | str, **changes: Any) -> dict[str, Any]:
    return {
        "base": PAIR.base.path,
        "tuned": str(tuned),
        "family": "f",
        "params_b": 0.001,
        **changes,
    }


def wrong(study: Study, run: Path, *more: str) -> list[str]:
    done = study("doctor", run, *more)
    found = [line[7:] for line in done.stdout.splitlines() if line.startswith("wrong  ")]
    assert done.returncode == (1 if found else 0), done.stderr
    assert "tokens to compute" in done.stdout
    return found


def test_nothing_is_wrong_with_a_staged_study(make_run: MakeRun, study_command: Study) -> None:
    run = make_run()
    assert wrong(study_command, run) == [
        "study.lock.json holds everything: it lacks 'llama-early-xs/base', 'llama-early-xs/tuned', "
        "'neox-late-xs/base', 'neox-late-xs/tuned', 'olmo2-late-xs/base', 'olmo2-late-xs/tuned', … "
        f"(2 more); run `study stage {run}`"
    ]
    assert study_command("stage", run).returncode == 0
    assert wrong(study_command, run) == []
    assert not (run / "results").exists()


def test_each_fault_is_named_with_what_to_do(
    make_run: MakeRun, study_command: Study, copied: Path
) -> None:
    (copied / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((copied / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (copied / "tokenizer_config.json").write_text(json.dumps(settings))
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps({**config, "model_type": "homemade"}))
    run = make_run(
        pairs=[listed(copied), listed("nobody/nothing", params_b=70, name="large")],
        slurm=[
            {"hours": 1, "memory_gb": 1, "up_to_params_b": 1},
            {"hours": 1, "memory_gb": 100, "gpus": 1, "gpu_memory_gb": 80},
        ],
    )
    found = wrong(study_command, run, "--on", "slurm")

    def one(*words: str) -> str:
        (line,) = (line for line in found if all(word in line for word in words))
        return line

    one("on this machine", "nobody/nothing", "study stage")
    one("study.lock.json holds everything")
    one("own/tuned has no chat template")
    one("type 'homemade'", "trust_remote_code: true")
    one("nobody/nothing: slurm[1] gives 100 GB of memory; loading takes 168 GB")
    one("nobody/nothing: slurm[1] gives 1 GPUs of 80 GB", "take 2")


def test_a_model_larger_than_this_machine(make_run: MakeRun, study_command: Study) -> None:
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    run = make_run(pairs=[{"base": "a/b", "tuned": "a/c", "family": "f", "params_b": host / 1e9}])
    found = wrong(study_command, run)
    assert sum("models fit this machine: a/" in line for line in found) == 2


def test_results_that_cannot_be_written(make_run: MakeRun, study_command: Study) -> None:
    run = make_run(limit=...)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(run)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        shutil.copy(make_run("beside", limit=...) / "study.yaml", run)
        assert any("free, about" in line and "needed" in line for line in wrong(study_command, run))
        subprocess.run(["mount", "-o", "remount,ro", str(run)], check=True)
        assert any("Read-only file system" in line for line in wrong(study_command, run))
    finally:
        subprocess.run(["umount", str(run)], check=True)
