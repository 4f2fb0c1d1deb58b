"""How often a job is attempted, whichever executor runs it.

In: a job whose worker died, and how. Out: the next attempt, or None if the job is set aside. Only
what may end otherwise is attempted again:

- SIGKILL is what the kernel sends when memory runs out: the next worker computes half as many
  tokens at once;
- another signal, a lost GPU, or a long silence may be the fault of the machine: the next worker
  does the same again;
- a worker that exits by itself has met a fault of the program or of a task's code, and would again:
  its job is set aside.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from study.planning.plan import Job

MAX_ATTEMPTS = 2
"A job is set aside when this many workers died while running it."
EXIT_DEVICE_LOST = 70
"Exit code of a worker whose device no longer responds."
EXIT_TERMINATED = 128 + signal.SIGTERM
"Exit code of a worker that was sent SIGTERM."


@dataclass(frozen=True)
class Death:
    """How a worker ended."""

    exit_code: int | None
    "As multiprocessing has it: negative for a signal."
    silent_seconds: float | None = None
    "How long it had been silent when the pool killed it; None if the pool did not."

    @property
    def out_of_memory(self) -> bool:
        """Whether it probably used too much memory."""
        return self.silent_seconds is None and self.exit_code == -signal.SIGKILL

    @property
    def may_pass(self) -> bool:
        """Whether the same again may end otherwise."""
        signalled = self.exit_code is not None and self.exit_code < 0
        passing = (EXIT_DEVICE_LOST, EXIT_TERMINATED)
        return signalled or self.silent_seconds is not None or self.exit_code in passing

    def __str__(self) -> str:
        """The death as a message.

        >>> print(Death(-9))
        worker killed by SIGKILL, which often means out of memory
        """
        if self.silent_seconds is not None:
            return f"worker silent for {self.silent_seconds:.0f} s and killed"
        if self.exit_code == EXIT_DEVICE_LOST:
            return "worker exited: the GPU stopped responding"
        if self.exit_code == EXIT_TERMINATED:
            return "worker terminated by SIGTERM"
        if self.exit_code is not None and self.exit_code < 0:
            hint = ", which often means out of memory" if self.out_of_memory else ""
            return f"worker killed by {_signal_name(-self.exit_code)}{hint}"
        return f"worker exited with code {self.exit_code}"


@dataclass(frozen=True)
class Attempt:
    """A job about to be run."""

    job: Job
    number: int = 1
    memory_share: float = 1.0
    "Share of the usual tokens per forward pass."

    def after_death(self, death: Death) -> Attempt | None:
        """The next attempt; None if there is none."""
        if self.number >= MAX_ATTEMPTS or not death.may_pass:
            return None
        share = self.memory_share / 2 if death.out_of_memory else self.memory_share
        return replace(self, number=self.number + 1, memory_share=share)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
