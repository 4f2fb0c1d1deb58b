"""Reads the items of a zoo task; lm-eval calls `load` through the task's YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets


def load(skill: str, **_: Any) -> datasets.DatasetDict:
    """The splits of one skill; lm-eval passes the task's metadata, of which `skill` is used."""
    path = Path(__file__).parent / "items" / f"{skill}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return datasets.DatasetDict(
        {
            split: datasets.Dataset.from_list([row for row in rows if row["split"] == split])
            for split in ("train", "test")
        }
    )
