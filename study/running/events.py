"""What happens to jobs, told by whoever runs them to whoever shows, counts or writes it down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    kind: str
    """`loading`, `tuning` (with what is being done), `tuned`, `loaded`, `cell`, `failed` (a cell,
    or without one the whole job) or `finished`; of workers `ready`, `alive`, `leaving`, and of a
    job whose worker died `retried`."""
    model: str
    cell: str = ""
    "Arm, task and draw."
    reason: str = ""
    items: int = 0
