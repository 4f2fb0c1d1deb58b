"""Many finished cells in few files: the packs of a run, which `study compact` writes.

In and out: `results/packs/`, with packs of this version and of earlier ones. A pack is never
changed. Where it is corrupted, its intact cells are written into a new one.
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from study.results.cell_store.corruption import CorruptedError
from study.results.cell_store.old_pack import MARKER, OldPack
from study.results.cell_store.pack import CellContent, Pack, write_pack
from study.results.files import flush_names, names_in, writing

MAX_BYTES = 1 << 28
"Size after which a new pack is begun."
_NAME = re.compile("[0-9a-f]{16}")


class Bundles:
    """The packs of a run, read when first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packs: dict[str, Pack | OldPack] = {}
        self._holders: dict[str, Pack | OldPack] = {}
        self._scanned = False

    def keys(self) -> set[str]:
        """Keys of all bundled cells; CorruptedError if a pack's cannot be read."""
        self._scan()
        return set(self._holders)

    def pack(self, key: str) -> Pack | OldPack | None:
        """The pack that held a cell at the last scan, if any did."""
        if not self._scanned:
            self._scan()
        return self._holders.get(key)

    def has(self, key: str) -> bool:
        """Whether a cell is in a bundle now."""
        self._scan()
        return key in self._holders

    def corrupted(self) -> Iterator[tuple[Pack | OldPack, CorruptedError]]:
        """Packs whose files are not those that were written, each with its error."""
        for pack in self._present().values():
            try:
                pack.check()
            except CorruptedError as error:
                if pack.paths[0].exists():  # another process may have just moved it
                    yield pack, error

    def write(self, cells: Iterable[CellContent]) -> list[str]:
        """Commit cells in as many packs as they need; returns their keys.

        When this returns, the cells are on disk, so that their other files can be removed.
        """
        written: list[str] = []
        remaining = iter(cells)
        for first in remaining:
            with writing(self.folder / uuid.uuid4().hex[:16]) as temporary:
                written += write_pack(temporary, _one_pack(first, remaining))
        if written:
            flush_names(self.folder)
        return written

    def _scan(self) -> None:
        """Read the keys of new packs, and forget packs that are gone."""
        present = self._present()
        if present.keys() == self._packs.keys() and self._scanned:
            return
        packs = {name: self._packs.get(name, pack) for name, pack in present.items()}
        self._holders = {key: pack for pack in packs.values() for key in pack.keys}
        self._packs, self._scanned = packs, True

    def _present(self) -> dict[str, Pack | OldPack]:
        """The finished packs by name."""
        packs: dict[str, Pack | OldPack] = {}
        for name in names_in(self.folder):
            if _NAME.fullmatch(name):
                packs[name] = Pack(self.folder / name)
            elif name.endswith(MARKER) and not name.startswith("."):
                packs[name] = OldPack(self.folder, name.removesuffix(MARKER))
        return packs


def _one_pack(first: CellContent, remaining: Iterator[CellContent]) -> Iterator[CellContent]:
    """Cells until the pack has its size."""
    size = 0
    for cell in itertools.chain([first], remaining):
        yield cell
        size += len(cell.record) + len(cell.items)
        if size >= MAX_BYTES:
            return
