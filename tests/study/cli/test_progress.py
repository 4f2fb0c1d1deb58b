"""What is shown of events: failures, retries, notes, counts."""

from __future__ import annotations

import pytest

from study.cli import progress
from study.cli.progress import show, show_submission, show_tuning
from study.running.events import Event
from tests.conftest import MakeRun
from tests.in_process import plan


def test_events_of_a_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    planned = plan(make_run(draws=1))
    base, tuned = (planned.plan.jobs[index].model.name for index in (0, 1))
    events = [
        Event("loading", base),
        Event("cell", base, "base-0shot t", items=12),
        Event.note("something"),
        Event("retried", base, reason="killed"),
        Event("failed", base, "base-5shot t draw 0", "ValueError: no"),
        Event("finished", base),
        Event("failed", tuned, reason="no weights"),
    ]
    messages: list[str] = []
    failures = show(events, planned, messages.append)
    assert failures == [f"{base} base-5shot t draw 0: ValueError: no", f"{tuned}: no weights"]
    assert messages[0] == "18 cells of 6 models: 18 remaining"
    assert "something" in messages
    assert f"retried: {base}: killed" in messages
    lines = [message for message in messages if "pairs, " in message]
    assert len(lines) == len(events)
    assert lines[0].startswith("0/18 cells, 0/3 pairs, 0 items/s")
    assert lines[1].startswith("1/18 cells, 0/3 pairs, ")
    assert lines[1].endswith(" s remaining")
    assert lines[-1].startswith("1/18 cells, 1/3 pairs, ")
    assert messages[-1].startswith("1 cells computed, 12 items in ")


def test_nothing_is_said_of_cells_if_none_was_computed(make_run: MakeRun) -> None:
    messages: list[str] = []
    assert show([], plan(make_run(draws=1)), messages.append) == []
    assert messages == ["18 cells of 6 models: 18 remaining"]


def test_a_submission() -> None:
    messages: list[str] = []
    events = [Event.note("2 models submitted as 17"), Event("failed", "m", reason="no weights")]
    assert show_submission(events, messages.append) == ["m: no weights"]
    assert messages == ["2 models submitted as 17"]


def test_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    messages: list[str] = []
    events = [
        Event("loading", "m"),
        Event("tuning", "m", reason="step 1 of 20"),
        Event("tuned", "m"),
        Event("finished", "m"),
        Event("failed", "n", reason="no base"),
    ]
    assert show_tuning(events, 3, 2, messages.append) == ["n: no base"]
    assert messages[0] == "3 models to tune: 2 remaining"
    assert messages[2] == "0/2 models, m: step 1 of 20"
    assert messages[4].startswith("1/2 models, , about ")
