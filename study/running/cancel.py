"""Cancelling a run from outside.

In: a `Run`. Out: what each executor cancelled. The command that started the run resumes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from study.results.run import Run
from study.running.executors import EXECUTORS


def cancel(run: Run) -> Iterator[str]:
    """Cancel everything that can be cancelled from this machine; yields what was done."""
    messages = 0
    for executor in EXECUTORS:
        for message in executor(run).cancel():
            messages += 1
            yield message
    if not messages:
        yield "nothing to cancel: no model is queued or running"
