"""What is printed: nothing in it acts on a terminal, and a failed write is one message."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from study.cli import output as module
from study.cli.output import ClosedOutputError, output, say
from study.cli.progress import show_tuning
from study.errors import StudyError
from study.running.events import Event
from study.running.executors.worker import log_file
from study.running.job_states import record
from tests.conftest import ROOT
from tests.study.commands import call

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07\x1b]8;;http://x\x07 \x9b2J\r\b\u202eabc\u2066 \u2028[red]x[/]"
)


def harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def test_no_text_acts_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE + "\nsecond line")
    output(f"{HOSTILE}\nsecond line")
    printed = capsys.readouterr()
    assert harmless(printed.out)
    assert harmless(printed.err)
    assert printed.err.count("\n") == 1, "a message is one line"
    assert printed.out.count("\n") == 2
    for text in (printed.out, printed.err):
        assert r"\x1b[31mred" in text
        assert r"\u202eabc" in text
        assert "[red]x[/]" in text, "markup is text"


def test_names_in_status_and_errors(small_copy: Path) -> None:
    """A model's name, the reason of its failure, and the last line of its log."""
    results = small_copy / "results"
    ledger = json.loads((results / "plan.json").read_text())
    named, failed = sorted({row["model"] for row in ledger["rows"]})[:2]
    for row in ledger["rows"]:
        if row["model"] == failed:
            row["key"] = "0" * 64
        if row["model"] == named:
            row["model"] = HOSTILE
    (results / "plan.json").write_text(json.dumps(ledger))
    record(results, failed, "failed", (f"RuntimeError: {HOSTILE}\n{HOSTILE}",))
    log_file(results, failed).parent.mkdir(exist_ok=True)
    log_file(results, failed).write_text(f"fine\n{HOSTILE}\n")
    result = call("status", small_copy)
    assert result.returncode == 0, result.stderr
    assert harmless(result.stdout)
    assert result.stdout.count(r"\u2066") == 4, "of the last line, too"
    assert result.stdout.count(r"\x1b[31mred") == 3, "of the name, and of the reason"
    error = call("plan", small_copy / HOSTILE.replace("/", ""))
    assert error.returncode == 2
    assert harmless(error.stderr)


def test_a_progress_bar_shows_markup_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    name = "[red]name[/red][link=http://x]\x1b]0;title\x07"
    assert show_tuning([Event("tuning", name, reason="step 1")], 1, 1, lambda line: None) == []
    drawn = terminal.getvalue()
    assert "[red]name[/red][link=http://x]" in drawn
    assert "\x1b]" not in drawn


def test_text_is_printed_in_one_place() -> None:
    """The linter refuses `print`; these are the other ways."""
    allowed = {"study/cli/output.py", "study/cli/progress.py", "study/cli/run_commands.py"}
    ways = ("sys.stdout.write", "sys.stderr.write", "rich.print", "Console(", "echo(", "os.write(")
    for package in ("study", "analysis"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in allowed:
                assert not [way for way in ways if way in path.read_text()], name


def test_an_encoding_without_a_character_gets_its_escape() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream, redirect_stdout(stream):
        output("r = .92 − ×")
        printed = raw.getvalue()
    assert printed == rb"r = .92 \u2212 \xd7" + b"\n"


def test_faults_of_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full, redirect_stdout(full):
        with pytest.raises(StudyError, match="standard output: found No space left on device"):
            output("text")
        module.discard_output()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed, redirect_stdout(closed):
        with pytest.raises(ClosedOutputError):
            output("text")
        module.discard_output()
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(StudyError, match="standard output: found Bad file descriptor"):
        output("text")


def test_messages_that_cannot_be_printed_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        say("text")
        monkeypatch.setattr(sys, "stderr", None)
        say("text")
        full_descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(full_descriptor, full.fileno())  # what is still buffered is dropped


@pytest.mark.parametrize("arguments", [("--help",), ("status", "{run}")])
def test_a_command_on_a_full_or_closed_output(arguments: tuple[str, ...], small_copy: Path) -> None:
    command = [sys.executable, "-m", "study.cli"]
    command += [argument.format(run=small_copy) for argument in arguments]
    with open("/dev/full", "w") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    *_, line = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "found No space left on device" in line
    if arguments == ("--help",):
        return  # Typer prints it, and what it does about a closed pipe is its own
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert result.returncode == 128 + 13
    assert result.stderr.endswith("\nstandard output was closed before everything was printed\n")
