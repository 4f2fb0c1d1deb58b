"""Events of jobs: which end a job, and how a failure reads."""

from __future__ import annotations

import pickle

from study.running.events import Event


def test_a_job_ends_when_it_is_finished_or_fails_as_a_whole() -> None:
    assert Event("finished", "m").ends_job
    assert Event("failed", "m", reason="r").ends_job
    assert not Event("failed", "m", "base-0shot t", "r").ends_job
    assert not any(Event(kind, "m").ends_job for kind in ("loading", "loaded", "cell", "retried"))


def test_a_failure_names_the_model_and_the_cell() -> None:
    assert Event("failed", "m", "base-0shot t", "r").failure() == "m base-0shot t: r"
    assert Event("failed", "m", reason="r").failure() == "m: r"


def test_a_note_belongs_to_no_job() -> None:
    note = Event.note("text")
    assert (note.kind, note.model, note.reason) == ("note", "", "text")
    assert pickle.loads(pickle.dumps(note)) == note
