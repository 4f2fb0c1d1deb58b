"""A run folder, opened once: study, lock, ledger, imported scores and finished cells.

In: a folder with `study.yaml`. Out: a `Run`. Every file is read when it is first needed, and once.

    study.yaml             the study (study.config)
    study.lock.json        revisions and digests of what was staged (lock)
    results/plan.json      the ledger: which cell holds which number (ledger)
    results/responses      what models gave for the items of each cell (cell_store)
    results/cells, packs   scores of the responses (cell_store)
    results/imports        scores measured elsewhere (imported)
    results/cache          what is cheap to compute again; may be deleted at any time
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

from study.config.study import Study, read_study
from study.results.cell_store.store import CellStore
from study.results.imported import Imported, read_imports
from study.results.ledger import Ledger, read_ledger
from study.results.lock import FILE_NAME as LOCK_NAME
from study.results.lock import Lock, read_lock
from study.results.schema import ITEMS, RESPONSES


class Run:
    """A study and the folder of its results."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Read the study of a folder; StudyError if there is none or it is invalid."""
        return cls(read_study(Path(folder)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process reads the files for itself.
        return (Run, (self.study,))

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.study.folder

    @property
    def results(self) -> Path:
        """The folder of the results, which may not exist yet."""
        return self.folder / "results"

    @property
    def ledger_file(self) -> Path:
        """The file of the ledger."""
        return self.results / "plan.json"

    @property
    def lock_file(self) -> Path:
        """The file of the lock."""
        return self.folder / LOCK_NAME

    @property
    def cache(self) -> Path:
        """The folder of what processes compute for each other, which is no part of the results."""
        return self.results / "cache"

    @cached_property
    def cells(self) -> CellStore:
        """The finished cells; asks the disk each time."""
        return CellStore(self.results / "cells", self.results / "packs", ITEMS)

    @cached_property
    def responses(self) -> CellStore:
        """The responses of evaluated cells; asks the disk each time."""
        return CellStore(self.results / "responses", self.results / "response_packs", RESPONSES)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of the last plan; StudyError if there is none or it is corrupted."""
        return read_ledger(self.ledger_file)

    @cached_property
    def lock(self) -> Lock:
        """The lock; empty if nothing was staged."""
        return read_lock(self.lock_file)

    @cached_property
    def imports(self) -> tuple[Imported, ...]:
        """All imported scores, in the order of their digests."""
        return tuple(read_imports(self.results / "imports"))

    @cached_property
    def lock_digest(self) -> str | None:
        """sha256 of the lock file; None without one."""
        try:
            return hashlib.sha256(self.lock_file.read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    def reload(self) -> None:
        """Forget what was read of files that have since been rewritten."""
        for name in ("ledger", "lock", "lock_digest", "imports"):
            self.__dict__.pop(name, None)
