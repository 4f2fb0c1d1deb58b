"""Cells for tests of the store, and faults of their files.

In: numbers. Out: keys, records and items; files with a flipped bit or a cut tail.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from study.results.cell_store.corruption import digest
from study.results.cell_store.store import CellStore

SCHEMA = {
    "item": "int64",
    "hash": "string",
    "score": "float64",
    "truncated": "bool",
    "logprobs": "list<float64>",
    "greedy": "list<bool>",
    "tokens": "list<int64>",
    "texts": "list<string>",
}
"One column of each kind."


def key(number: int) -> str:
    """The key of a cell."""
    return f"{number:064x}"


def rows(number: int, items: int = 20) -> list[dict[str, Any]]:
    """The items of a cell, no two cells the same."""
    random = Random(number)
    return [
        {
            "item": item,
            "hash": f"{random.getrandbits(64):x}",
            "score": random.random(),
            "truncated": False,
            "logprobs": [-random.random(), -random.random()],
            "greedy": [False, True],
            "tokens": [1, 2],
            "texts": ["one", "two"],
        }
        for item in range(items)
    ]


def record(number: int) -> dict[str, Any]:
    """The record of a cell."""
    return {"key": key(number), "score": 1 / (number + 1), "task": "Größe", "parts": [number] * 9}


def store_in(folder: Path) -> CellStore:
    """A store as a run has it; a new one, which has read nothing yet."""
    return CellStore(folder / "cells", folder / "packs", SCHEMA)


def write_cells(store: CellStore, numbers: range) -> None:
    """Commit cells."""
    for number in numbers:
        store.write(key(number), record(number), rows(number))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Flip a bit of a file."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(bytes(content))


def cut(path: Path, length: int) -> None:
    """Shorten a file to a length."""
    path.write_bytes(path.read_bytes()[:length])


def snapshot(folder: Path) -> dict[str, str]:
    """Every file in a folder with the digest of its content, and every other thing with none."""
    return {
        str(path.relative_to(folder)): digest(path.read_bytes()) if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }
