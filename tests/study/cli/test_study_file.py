"""One command opens study.yaml once: whatever needs the study is given it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analysis import pipeline
from study.results.schema import SCORES
from tests.conftest import MakeRun
from tests.in_process import evaluate_all
from tests.study.commands import call
from tests.study.task_files import TUNING

OPENED: list[str] = []
"Files opened in this process, while they are recorded."
_recording = [False]


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if _recording[0] and event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_record)


@contextmanager
def recorded_opens() -> Iterator[list[str]]:
    """The files that are opened within the context."""
    OPENED.clear()
    _recording[0] = True
    try:
        yield OPENED
    finally:
        _recording[0] = False


def write_scores(folder: Path) -> Path:
    row = dict.fromkeys(SCORES, "")
    row |= {"pair": "p", "family": "f", "params_b": "1", "role": "base", "arm": "base-0shot"}
    row |= {"task": "t", "task_type": "facts", "score": "0.5", "chance": "0.25"}
    path = folder / "more.csv"
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n")
    return path


ARGUMENTS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "plan": lambda folder: (),
    "run": lambda folder: (),
    "status": lambda folder: (),
    "cancel": lambda folder: (),
    "compact": lambda folder: (),
    "stage": lambda folder: (),
    "doctor": lambda folder: (),
    "analyze": lambda folder: (),
    "import": lambda folder: (write_scores(folder),),
    "export": lambda folder: (folder / "exported",),
    "power": lambda folder: (),
}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_command_opens_the_study_file_once(
    command: str, small_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures are drawn from what the analysis has loaded; drawing all takes many seconds.
    monkeypatch.setattr(pipeline, "draw_figures", lambda analysis: [])
    arguments = ARGUMENTS[command](small_copy)
    if command == "doctor":
        assert call("stage", small_copy).returncode == 0
    with recorded_opens() as opened:
        result = call(command, small_copy, *arguments)
    assert result.returncode == 0, result.stderr
    assert [path for path in opened if path.endswith("study.yaml")] == [
        str(small_copy / "study.yaml")
    ]


def test_tune_opens_the_study_file_once(make_run: MakeRun) -> None:
    folder = make_run(
        pairs=...,
        tuning={**TUNING, "recipes": [{**TUNING["recipes"][0], "format": ["flan"]}]},
        arms=["base-0shot", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
        limit=4,
    )
    evaluate_all(folder)
    with recorded_opens() as opened:
        result = call("tune", folder)
    assert result.returncode == 0, result.stderr
    assert "1 models to tune: 0 remaining" in result.stderr
    assert sum(path.endswith("study.yaml") for path in opened) == 1
