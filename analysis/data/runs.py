"""The run that is analysed, by its folder or opened already.

In: a folder or a `Run`. Out: a `Run`, through which every reader of this package gets the study,
the ledger, the imports and the cells.
"""

from __future__ import annotations

from pathlib import Path

from study.results.run import Run


def opened(run: str | Path | Run) -> Run:
    """Open the run of a folder; a `Run` is returned as it is, with what it has read."""
    return run if isinstance(run, Run) else Run.open(run)
