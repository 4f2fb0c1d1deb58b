"""Events: what happens to jobs, reported by executors and workers.

In and out: `Event` objects, which the command line shows, counts, and writes down.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    kind: str
    """Of a job: `loading`, `tuning` (with the current step), `tuned`, `loaded`, `cell`, `failed` (a
    cell, or without one the whole job), `retried` (its worker died), `finished`. Of a worker:
    `ready`, `alive`, `leaving`. Of an executor: `note`."""
    model: str
    cell: str = ""
    "Arm, task and draw."
    reason: str = ""
    "Why it failed or is retried, the current step, or the note."
    items: int = 0
    "Items of a cell."

    @classmethod
    def note(cls, text: str) -> Event:
        """A message of an executor that belongs to no job."""
        return cls("note", "", reason=text)

    @property
    def ends_job(self) -> bool:
        """Whether the job is over after this event."""
        return self.kind == "finished" or (self.kind == "failed" and not self.cell)

    def failure(self) -> str:
        """A failure as a message: which model and cell, and why."""
        return " ".join((self.model, self.cell)).strip() + f": {self.reason}"
