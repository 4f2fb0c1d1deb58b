"""Gathering finished cells into bundles, and moving corrupted ones aside.

In: a store. Out: the same cells in fewer files; or the corrupted ones in `results/corrupted/`, so
that they are recomputed. If compaction is interrupted, a cell may be in both places with the same
content; the next compaction removes its own files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from study.results.cell_store.corruption import Aside, CorruptedError
from study.results.cell_store.pack import CellContent
from study.results.cell_store.store import CellStore


def compact(cells: CellStore, *, on_cell: Callable[[], object] = lambda: None) -> int:
    """Move all cells with files of their own into bundles; returns how many.

    CorruptedError for a corrupted cell, StudyError for a full disk; nothing is lost then.
    """
    loose = sorted(cells.loose())
    bundled = cells.bundles.keys()

    def contents() -> Iterator[CellContent]:
        for key in loose:
            if key not in bundled:
                try:
                    yield cells.content(key)
                except CorruptedError:
                    if key in cells.loose():
                        raise  # otherwise another process has just bundled it
            on_cell()

    for key in bundled.intersection(loose):
        cells.items(key)  # the bundled copy must be intact before the other is removed
    cells.bundles.write(contents())
    for key in loose:
        cells.remove(key)
    return len(loose)


def repair(cells: CellStore) -> list[str]:
    """Recover what is intact of corrupted bundles, and move all that is corrupted into a folder of
    `results/corrupted`, so that it is recomputed; returns what was corrupted.

    StudyError, and nothing is moved, for a file that cannot be read for another reason.
    """
    corrupted_packs, corrupted_cells = list(cells.bundles.corrupted()), list(cells.corrupted())
    aside, messages = Aside(cells.folder.parent), []
    for pack, pack_error in corrupted_packs:
        recovered = cells.bundles.write(pack.intact_cells())
        aside.move(pack.paths)
        messages.append(
            f"{pack_error.where}: {pack_error.found}. Recovered {len(recovered)} intact cells; "
            f"moved to {aside.folder}"
        )
    for key, cell_error in corrupted_cells:
        content = cells.intact_content(key)
        if content is not None:
            cells.bundles.write([content])
        aside.move(cells.paths(key))
        outcome = "Recovered the cell; moved" if content is not None else "Moved"
        messages.append(f"{cell_error.where}: {cell_error.found}. {outcome} to {aside.folder}")
    return messages
