"""A cell's identity: everything that can move its number, and nothing else.

In: the parts. Out: a key, the sha256 of their canonical JSON. Device, batch size, place and time
are not part of it. `VERSION` changes when the same parts would give another number; a test holds
one key per version, so that nobody changes identity by accident.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

VERSION = 1


def canonical(parts: Any) -> str:
    """JSON with sorted keys and without spaces: equal parts give equal text."""
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def cell_identity(
    *,
    weights: str,
    tokenizer: str,
    dtype: str,
    engine: str,
    task: str,
    task_version: str,
    items: str,
    metric: str,
    limit: int | None,
    arm: dict[str, object],
    demonstrations: str | None,
    kept: str | None,
) -> dict[str, Any]:
    """The parts of a cell's identity.

    `weights`, `tokenizer`, `items` and `demonstrations` are digests of what they name. `kept` is a
    digest of the number of demonstrations that each item keeps, None where every item keeps all.
    """
    return {
        "version": VERSION,
        "model": {"weights": weights, "tokenizer": tokenizer, "dtype": dtype, "engine": engine},
        "task": {"name": task, "version": task_version, "items": items, "metric": metric},
        "limit": limit,
        "arm": {**arm, "demonstrations": demonstrations, "kept": kept},
    }


def cell_key(identity: dict[str, Any]) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(canonical(identity).encode()).hexdigest()


class ChangedError(Exception):
    """An input is not what it was when the study was planned, so the cell's key is wrong."""


def check_unchanged(what: str, found: str, planned: str) -> None:
    """ChangedError if a digest differs from the one in the cell's identity."""
    if found != planned:
        raise ChangedError(
            f"{what} changed since the study was planned; run the same command again to plan it "
            "with the new content"
        )
