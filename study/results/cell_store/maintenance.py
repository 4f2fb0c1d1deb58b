"""Gathers finished cells into packs, and mends what is damaged.

In: a run's folder. Out: fewer files with the same cells. Interrupted at any moment, a cell may be
in both places for a while, with one content; the next time removes its own files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from study.results.cell_store.bundles import Packed
from study.results.cell_store.store import Cells
from study.results.files import unwritable


def compact(run: Path, *, on_cell: Callable[[], object] = lambda: None) -> int:
    """Moves all cells with files of their own into packs; returns how many. A damaged cell is a
    StudyError, a full disk too, and nothing is lost."""
    cells = Cells(run)
    loose = sorted(cells.loose())
    packed = cells.packs.keys()

    def contents() -> Iterator[Packed]:
        for key in loose:
            if key not in packed:
                yield key, cells.record(key), cells.items(key)
                on_cell()

    try:
        cells.packs.write(contents())
    except OSError as error:
        raise unwritable(cells.packs.folder, error) from error
    for key in loose:
        cells.remove(key)
    return len(loose)


def mend(run: Path) -> list[str]:
    """Takes away what is damaged, so that it is computed anew; returns what was wrong."""
    cells = Cells(run)
    told = []
    for name in list(cells.packs.damaged()):
        whole = list(cells.packs.write(cells.packs.whole_cells(name)))
        cells.packs.remove(name)
        told.append(f"{cells.packs.folder / name}: damage; {len(whole)} whole cells are kept")
    for key, error in list(cells.damaged()):
        cells.remove(key)
        told.append(f"{error.where}: {error.found}")
    return told
