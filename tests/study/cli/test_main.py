"""The command line: help at once, one message for invalid input, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from study.cli.arguments import exit_if_failed
from study.processes import StoppedError
from study.results.run import Run
from tests.conftest import MakeRun
from tests.study.commands import call

RUN_COMMANDS = (
    "plan",
    "stage",
    "doctor",
    "run",
    "tune",
    "status",
    "cancel",
    "compact",
    "import",
    "export",
    "power",
    "analyze",
)
HEAVY = ("torch", "lm_eval", "transformers", "datasets", "pandas", "numpy", "scipy", "matplotlib")
HELP = f"""
import sys
from study.cli.main import main
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("command", [(), ("run",)])
def test_help_imports_no_heavy_library(command: tuple[str, ...]) -> None:
    started = time.monotonic()
    arguments = [sys.executable, "-c", HELP, *command, "--help"]
    result = subprocess.run(arguments, capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stderr == "[]\n"
    assert "Usage: " in result.stdout
    assert time.monotonic() - started < 5, "a fraction of a second on an idle machine"


@pytest.mark.parametrize("command", RUN_COMMANDS)
def test_help_of_every_command_names_the_run_folder(command: str) -> None:
    result = call(command, "--help")
    assert result.returncode == 0
    assert "RUN" in result.stdout
    assert "Run folder: a folder that contains" in " ".join(result.stdout.split())


def test_help_lists_every_command_with_its_first_sentence() -> None:
    result = call("--help")
    assert result.returncode == 0
    for command in (*RUN_COMMANDS, "zoo"):
        (line,) = (line for line in result.stdout.splitlines() if f" {command} " in line[:14])
        assert len(line.split()) > 4
    assert "build" in call("zoo", "--help").stdout


def test_an_unknown_executor_is_named_before_anything_is_read(make_run: MakeRun) -> None:
    result = call("run", make_run(), "--on", "slurn")
    assert result.returncode == 2
    assert "--on: found 'slurn'; expected one of 'local', 'slurm'" in result.stderr


def test_sigterm_is_an_exit_code_with_a_message(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(folder: Path) -> Run:
        raise StoppedError

    monkeypatch.setattr(Run, "open", stop)
    result = call("plan", make_run())
    assert result.returncode == 128 + 15
    assert result.stderr == "interrupted; run the same command again to resume\n"


def test_failures_are_listed_and_the_exit_code_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    exit_if_failed([])
    with pytest.raises(typer.Exit) as end:
        exit_if_failed(["m: no weights", "n: no data"])
    assert end.value.exit_code == 1
    assert capsys.readouterr().err.splitlines() == [
        "failed: m: no weights",
        "failed: n: no data",
        "2 failed; fix these problems, then run the same command again",
    ]


def test_a_table_in_the_place_of_a_folder_is_one_error(small_copy: Path) -> None:
    (small_copy / "tables").write_text("a file in the place of a folder")
    result = call("analyze", small_copy)
    assert result.returncode == 2
    assert "tables" in result.stderr.splitlines()[-1]
    assert "expected a folder that can be written to" in result.stderr
    assert "Traceback" not in result.stderr


def test_status_and_plan_as_json(small_copy: Path) -> None:
    statuses = json.loads(call("status", small_copy, "--json").stdout)
    assert {status["state"] for status in statuses} == {"done"}
    result = call("plan", small_copy, "--json")
    assert result.stderr == ""
    assert json.loads(result.stdout)


def test_compact_says_how_many_cells_it_gathered(small_copy: Path) -> None:
    result = call("compact", small_copy)
    assert result.returncode == 0, result.stderr
    gathered = (
        "responses of {0} cells gathered, 24 in all\nscores of {0} cells gathered, 24 in all\n"
    )
    assert result.stderr == gathered.format(24)
    for folder in ("responses", "cells"):
        assert not list((small_copy / "results" / folder).glob("*.done"))
    again = call("run", small_copy)
    assert again.returncode == 0
    assert ": 0 remaining" in again.stderr
    assert call("compact", small_copy).stderr == gathered.format(0)
