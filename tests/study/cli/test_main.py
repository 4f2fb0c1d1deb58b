"""The command line: help at once, one message for invalid input, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from study.cli.arguments import exit_if_failed
from study.extras import EXTRAS
from study.processes import STOP_SIGNALS, StoppedError
from study.results.run import Run
from tests.conftest import MakeRun
from tests.study.commands import call
from tests.study.exchange.score_files import score_rows, write_csv

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
OPTIONAL = [package for extra in EXTRAS.values() for package in extra]
HEAVY = ("torch", "lm_eval", "transformers", "datasets", "pandas", "numpy", "scipy", "matplotlib")
HELP = f"""
import sys
from study.cli.main import main
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
FIRST_LINE = f"""
import sys
from study.cli import arguments, output
from study.cli.main import main

def say(message):
    print(message, [name for name in {(*HEAVY, "pyarrow", "yaml", "study.config.study")!r}
                    if name in sys.modules])
    raise SystemExit
output.say = arguments.say = say
main()
"""


def run_code(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("command", [(), ("run",)])
def test_help_imports_no_heavy_library(command: tuple[str, ...]) -> None:
    result = run_code(HELP, *command, "--help")
    assert result.returncode == 0
    assert result.stderr == "[]\n"
    assert "Usage: " in result.stdout


@pytest.mark.parametrize("command", RUN_COMMANDS)
def test_every_command_says_what_it_reads_before_it_imports_what_reads_it(command: str) -> None:
    more = {"import": ["scores.csv"], "export": ["folder"]}.get(command, [])
    result = run_code(FIRST_LINE, command, "runs/any", *more)
    assert result.stdout == "reading runs/any []\n", result.stderr


def test_a_study_that_was_planned_is_planned_without_heavy_libraries(make_run: MakeRun) -> None:
    folder = make_run()
    first, second = (run_code(HELP, "plan", folder) for _ in range(2))
    assert first.returncode == second.returncode == 0, second.stderr
    assert second.stdout == first.stdout != ""
    imported = json.loads(second.stderr.splitlines()[-1].replace("'", '"'))
    assert imported == ["numpy"]


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


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_is_an_exit_code_with_a_message(
    number: int, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(folder: Path) -> Run:
        raise StoppedError(number)

    monkeypatch.setattr(Run, "open", stop)
    result = call("plan", make_run())
    assert result.returncode == 128 + number
    assert result.stderr.splitlines()[1:] == ["interrupted; run the same command again to resume"]


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
    assert result.stderr == f"reading {small_copy}\n{gathered.format(24)}"
    for folder in ("responses", "cells"):
        assert not list((small_copy / "results" / folder).glob("*.done"))
    again = call("run", small_copy)
    assert again.returncode == 0
    assert ": 0 remaining" in again.stderr
    assert call("compact", small_copy).stderr.endswith(gathered.format(0))


def test_misspelt_and_absent_devices_are_refused_before_anything_starts(make_run: MakeRun) -> None:
    folder = make_run()
    for arguments in (("run",), ("run", "--on", "slurm"), ("tune",)):
        for device in ("cuda", "CPU", ""):
            result = call(arguments[0], folder, *arguments[1:], "--device", device)
            assert result.returncode == 2
            _, line = result.stderr.splitlines()
            assert line.startswith(f"error: --device: found {device!r}; expected ")
    absent = call("run", folder, "--device", "cuda:98")
    assert absent.returncode == 2
    assert absent.stderr.splitlines()[1].startswith("error: --device: found 'cuda:98'; expected ")
    assert [path.name for path in folder.iterdir()] == ["study.yaml"]


def test_commands_that_need_an_extra_name_it(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run()
    for package in OPTIONAL:
        monkeypatch.setitem(sys.modules, package, None)
    for command in ("plan", "stage", "doctor", "run", "score", "tune"):
        result = call(command, folder)
        assert result.returncode == 2
        _, line = result.stderr.splitlines()
        assert line.endswith("extra `run`. pip install 'icl-convergence[run]'")
    assert call("zoo", "build").stderr.endswith("pip install 'icl-convergence[run]'\n")


WITHOUT_EXTRAS = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
from study.cli.main import main
for line in sys.stdin.read().splitlines():
    sys.argv = line.split("|")
    try:
        main()
    except SystemExit as end:
        print(sys.argv[1], end.code, file=sys.stderr)
"""


def test_commands_that_need_no_extra_work_without_any(small_copy: Path, folder: Path) -> None:
    csv = write_csv(folder, score_rows())
    commands = (
        ("status", small_copy),
        ("cancel", small_copy),
        ("compact", small_copy),
        ("power", small_copy),
        ("export", small_copy, small_copy / "exported"),
        ("import", folder, csv),
    )
    lines = "\n".join("|".join(map(str, ("study", *command))) for command in commands)
    arguments = [sys.executable, "-c", WITHOUT_EXTRAS]
    result = subprocess.run(arguments, input=lines, capture_output=True, text=True)
    for name, *_ in commands:
        assert f"{name} 0" in result.stderr.splitlines(), result.stderr


def test_an_error_that_no_command_expects_is_reported_without_escapes(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> Run:
        raise RuntimeError("a fault: \x1b[31m")

    monkeypatch.setattr(Run, "open", fail)
    result = call("plan", make_run())
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == r"RuntimeError: a fault: \x1b[31m"

    def full(folder: Path) -> Run:
        raise OSError(28, "No space left on device", "some/file")

    monkeypatch.setattr(Run, "open", full)
    result = call("plan", make_run("other"))
    assert result.returncode == 2
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: some/file: found No space left on device; expected ")
