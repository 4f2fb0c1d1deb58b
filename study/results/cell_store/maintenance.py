"""Gathering finished cells into bundles, and removing corrupted ones.

In: a store. Out: the same cells in fewer files; or the corrupted ones gone, to be recomputed. If
compaction is interrupted, a cell may be in both places with the same content; the next compaction
removes its own files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from study.results.cell_store.bundles import BundledCell
from study.results.cell_store.store import CellStore
from study.results.files import unwritable


def compact(cells: CellStore, *, on_cell: Callable[[], object] = lambda: None) -> int:
    """Move all cells with files of their own into bundles; returns how many.

    StudyError for a corrupted cell or a full disk; nothing is lost then.
    """
    loose = sorted(cells.loose())
    bundled = cells.bundles.keys()

    def contents() -> Iterator[BundledCell]:
        for key in loose:
            if key not in bundled:
                yield key, cells.record(key), cells.items(key)
                on_cell()

    try:
        cells.bundles.write(contents())
    except OSError as error:
        raise unwritable(cells.bundles.folder, error) from error
    for key in loose:
        cells.remove(key)
    return len(loose)


def repair(cells: CellStore) -> list[str]:
    """Delete corrupted cells, so that they are recomputed; returns what was corrupted."""
    messages = []
    for name in list(cells.bundles.corrupted()):
        intact = list(cells.bundles.write(cells.bundles.intact_cells(name)))
        cells.bundles.remove(name)
        path = cells.bundles.folder / name
        messages.append(f"{path}: corrupted bundle; kept its {len(intact)} intact cells")
    for key, error in list(cells.corrupted()):
        cells.remove(key)
        messages.append(f"{error.where}: {error.found}")
    return messages
