"""A study whose chat templates print the date, evaluated over a midnight."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from study.results.run import Run
from tests.conftest import ROOT, command_environment, write_study
from tests.in_process import evaluate_all, plan
from tests.study.models.chat_templates.chat import pair_with

DATED = "Today is {{ strftime_now('%d %B %Y') }}. " + (
    "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"
)
SPEED = 20000
"Seconds of the false clock in one second, so that it is soon midnight."


def responses(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By key, the responses of the run's cells."""
    run = Run.open(folder)
    keys = {cell.responses for job in plan(folder).plan.jobs for cell in job.cells}
    return {str(key): run.responses.items(str(key)).to_pylist() for key in keys}


@pytest.mark.skipif(shutil.which("faketime") is None, reason="no faketime (apt install faketime)")
def test_a_run_that_crosses_midnight_has_the_prompts_of_one_date(tmp_path: Path) -> None:
    pairs = [pair_with(tmp_path, name, DATED) for name in ("evening", "morning")]
    whole = write_study(
        tmp_path / "whole",
        pairs=pairs,
        arms=["base-0shot", "tuned-0shot-chat", "tuned-5shot-chat"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
        tasks={"suite": "zoo_mc", "only": ["zoo_colour_mc"]},
        draws=1,
        limit=4,
    )
    (tmp_path / "parts").mkdir()
    script = [sys.executable, "-m", "tests.study.running.cells.midnight"]
    done = subprocess.run(
        ["faketime", "-f", f"@2026-11-24 12:00:00 x{SPEED}", *script, whole, tmp_path / "parts"],
        env=command_environment(tmp_path / "attempts"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split()
    assert first != second
    evaluate_all(whole)
    assert responses(tmp_path / "parts") == responses(whole)
