"""Identity: everything that can move a number, and nothing else.

In: the parts. Out: a key, the sha256 of their canonical JSON.

*Responses* have an identity of two parts: the model (every file that its loader reads, number
format, engine, interventions) and the prompts (the task as it is resolved with its code and
documents, the form, demonstrations, chat template with everything that it renders). *Scores* have
that of the responses they are computed from and that of the scorer. Device, batch size, place and
time are in neither.

`VERSION` changes when the same parts would give another number, or when parts are added. Results of
an earlier version stay where they are, and are never mixed with those of this one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

VERSION = 2

Identity = dict[str, Any]


def canonical(parts: Any) -> str:
    """JSON with sorted keys and without spaces: equal parts give equal text."""
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(parts: Any) -> str:
    """sha256 of the canonical JSON of parts, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def responses_key(responses: Identity) -> str:
    """Key of responses, from the parts `model` and `prompts` of their identity."""
    return digest({"version": VERSION, **responses})


def cell_identity(responses: Identity, scorer: Identity) -> Identity:
    """The identity of a cell: that of its responses, and that of the scorer."""
    return {"version": VERSION, "responses": responses, "scorer": scorer}


def cell_key(identity: Identity) -> str:
    """Key of a cell: of (the responses' key, the scorer)."""
    responses = responses_key(identity["responses"])
    return digest({**identity, "responses": responses})


class ChangedError(Exception):
    """An input is not what it was when the study was planned, so the cell's key is wrong."""


def check_unchanged(what: str, found: str, planned: str) -> None:
    """ChangedError if a digest differs from the one in the cell's identity."""
    if found != planned:
        raise ChangedError(
            f"{what} changed since the study was planned; run the same command again to plan it "
            "with the new content"
        )
