"""Commits of responses while a cell is generated, so that a kill costs a minute at most.

In: a responses key, what an interrupted worker left under it, a clock. Out: the same file, replaced
at intervals while the model generates. What a kill costs is the time since the last commit, and the
computation of what the keys and values in memory held: the prompts of one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from study.results.cell_store.partial_responses import PartialResponseStore
from study.running.cells.forward_monitor import ForwardPassMonitor
from study.running.cells.prompts import AuditError
from study.tasks.lm_eval.types import LmEvalModel

COMMIT_SECONDS = 30.0
"""Time between two commits. A batch takes as long at most until its first responses can be
committed, which makes a minute (study.inference: PREFILL_OPERATIONS, MAX_BATCH_SECONDS)."""


class PartialCommits:
    """The partial responses of one cell, from which its generation resumes."""

    def __init__(
        self,
        store: PartialResponseStore,
        key: str,
        place: dict[str, Any],
        monitor: ForwardPassMonitor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`place` is the provenance of what this process generates; `clock` counts seconds."""
        self._store, self._key, self._monitor, self._clock = store, key, monitor, clock
        self._partial = store.read(key)
        requests = sum(map(bool, self._partial.tokens.values())) + len(self._partial.texts)
        self.resumed: dict[str, Any] | None = None
        """What an earlier process had generated, for the record: the number of requests, finished
        or not (twice those of which thinking and answer had begun), and its provenance; None if
        there is nothing."""
        if requests:
            provenance = list(self._partial.provenance)
            self.resumed = {"requests": requests, "provenance": provenance}
        if place not in self._partial.provenance:
            self._partial.provenance.append(place)
        self._committed = clock()

    def resume(self, lm: LmEvalModel) -> Any:
        """Context in which the model generates from where it was interrupted, and commits."""
        return lm.resuming(self._partial.tokens, self._partial.texts, self._on_step)

    def remove(self) -> None:
        """Delete the partial responses: the cell's responses have been committed."""
        self._store.remove(self._key)

    def _on_step(self) -> None:
        if self._clock() - self._committed < COMMIT_SECONDS:
            return
        if self._monitor.computed_nan():
            raise AuditError("the model computes NaN")
        self._store.write(self._key, self._partial)
        self._committed = self._clock()
