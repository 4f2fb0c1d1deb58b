"""How often a job is tried, wherever it runs.

In: a job whose worker died. Out: what is tried next, or that the job is set aside. A worker that
died for want of memory would die of it again, so the next one takes half as many tokens at once.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from study.planning.plan import Job

TRIES = 2
"A job is set aside when so many workers died of it."
POISONED = 70
"Exit code of a worker whose device no longer answers."


@dataclass(frozen=True)
class Attempt:
    """A job about to be run."""

    job: Job
    number: int = 1
    memory_share: float = 1.0
    "Of the tokens that a forward pass takes at first."

    def after_death(self) -> Attempt | None:
        """The next attempt; None if there were enough."""
        if self.number >= TRIES:
            return None
        return replace(self, number=self.number + 1, memory_share=self.memory_share / 2)


def cause_of_death(exit_code: int | None) -> str:
    """An exit code in words.

    >>> cause_of_death(-9)
    'its worker was killed by SIGKILL, as happens where memory ends'
    """
    if exit_code == POISONED:
        return "its worker ended because its device no longer answered"
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", as happens where memory ends" if name == "SIGKILL" else ""
        return f"its worker was killed by {name}{hint}"
    return f"its worker ended with exit code {exit_code}"
