"""What prevents a study from running is found before anything is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import zoo
from study.results.run import Run
from study.running.doctor import CHECKS, findings_text
from study.running.executors import Finding
from tests.conftest import MakeRun
from tests.study.commands import call

PAIR = zoo()[0]
LABEL = "problem  "


@pytest.fixture
def tuned_copy(tmp_path: Path) -> Path:
    """A tuned model in another folder."""
    return Path(shutil.copytree(PAIR.tuned.path, tmp_path / "own" / "tuned"))


def listed_pair(tuned: Path | str, **changes: Any) -> dict[str, Any]:
    pair = {"base": PAIR.base.path, "tuned": str(tuned), "family": "f", "params_b": PAIR.params_b}
    return {**pair, **changes}


def problems(folder: Path, *arguments: str) -> list[str]:
    result = call("doctor", folder, *arguments)
    lines = result.stdout.splitlines()
    found = [line.removeprefix(LABEL) for line in lines if line.startswith(LABEL)]
    assert result.returncode == (1 if found else 0), result.stderr
    assert "tokens to compute" in result.stdout
    return found


def test_a_staged_study_has_no_problem(make_run: MakeRun) -> None:
    folder = make_run()
    (unlocked,) = problems(folder)
    assert unlocked == (
        "entries of study.lock.json: none for 'llama-early-xs/base', 'llama-early-xs/tuned', "
        "'neox-late-xs/base', "
        "'neox-late-xs/tuned', 'olmo2-late-xs/base', 'olmo2-late-xs/tuned', … (2 more). "
        f"Run `study stage {folder}`"
    )
    assert call("stage", folder).returncode == 0
    assert problems(folder) == []
    assert not (folder / "results").exists()


def test_each_fault_is_named_with_what_to_do(make_run: MakeRun, tuned_copy: Path) -> None:
    (tuned_copy / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((tuned_copy / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (tuned_copy / "tokenizer_config.json").write_text(json.dumps(settings))
    other = Path(shutil.copytree(PAIR.tuned.path, tuned_copy.parent / "other"))
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "homemade"}))
    folder = make_run(
        pairs=[
            listed_pair(tuned_copy),
            listed_pair(other, name="other"),
            listed_pair("nobody/nothing", base="nobody/base", params_b=70, name="large"),
        ],
        slurm=[
            {"hours": 1, "memory_gb": 1, "up_to_params_b": 1},
            {"hours": 1, "memory_gb": 100, "gpus": 1, "gpu_memory_gb": 80},
        ],
    )
    found = problems(folder, "--on", "slurm")

    def assert_one(*words: str) -> None:
        (_,) = (line for line in found if all(word in line for word in words))

    assert_one("on this machine", "nobody/nothing", "study stage")
    assert_one("entries of study.lock.json: none for")
    assert_one("chat templates", "own/tuned has none. Use an arm")
    assert_one("type 'homemade'", "trust_remote_code: true")
    assert_one("base and tuned", "own/tuned has none; check that they are not swapped")
    assert_one("nobody/nothing: slurm[1] gives 100 GB of memory; loading takes 168 GB")
    assert_one("nobody/nothing: slurm[1] gives 1 GPUs of 80 GB", "need 2")


def test_a_model_larger_than_this_machine(make_run: MakeRun) -> None:
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    pair = {"base": "a/b", "tuned": "a/c", "family": "f", "params_b": host / 1e9}
    found = problems(make_run(pairs=[pair]))
    too_large = [line for line in found if ": a/" in line and "of memory, this machine has" in line]
    assert len(too_large) == 2


def test_results_that_cannot_be_written(make_run: MakeRun) -> None:
    folder = make_run(limit=...)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        shutil.copy(make_run("beside", limit=...) / "study.yaml", folder)
        found = problems(folder)
        assert any("free, about" in line and "needed" in line for line in found)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert any("Read-only file system" in line for line in problems(folder))
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_findings_are_a_line_each(small: Run) -> None:
    text = findings_text([Finding("a check"), Finding("another", "wrong; do this")])
    first, second = text.splitlines()
    assert first.split() == ["ok", "a", "check"]
    assert second.startswith(LABEL)
    assert second.endswith("another: wrong; do this")
    assert len(CHECKS) == 5
