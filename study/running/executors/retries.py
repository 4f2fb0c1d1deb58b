"""How often a job is attempted, whichever executor runs it.

In: a job whose worker died. Out: the next attempt, or None if the job is set aside. A worker that
died for lack of memory would die again, so the next one computes half as many tokens at once.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from study.planning.plan import Job

MAX_ATTEMPTS = 2
"A job is set aside when this many workers died while running it."
EXIT_DEVICE_LOST = 70
"Exit code of a worker whose device no longer responds."


@dataclass(frozen=True)
class Attempt:
    """A job about to be run."""

    job: Job
    number: int = 1
    memory_share: float = 1.0
    "Share of the usual tokens per forward pass."

    def after_death(self) -> Attempt | None:
        """The next attempt; None if this was the last."""
        if self.number >= MAX_ATTEMPTS:
            return None
        return replace(self, number=self.number + 1, memory_share=self.memory_share / 2)


def cause_of_death(exit_code: int | None) -> str:
    """An exit code as a message.

    >>> cause_of_death(-9)
    'worker killed by SIGKILL, which often means out of memory'
    """
    if exit_code == EXIT_DEVICE_LOST:
        return "worker exited: the GPU stopped responding"
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", which often means out of memory" if name == "SIGKILL" else ""
        return f"worker killed by {name}{hint}"
    return f"worker exited with code {exit_code}"
