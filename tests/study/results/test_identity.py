"""A cell's key: equal for equal parts, different for any other."""

from __future__ import annotations

from typing import Any

import pytest

from study.results.identity import (
    VERSION,
    ChangedError,
    canonical,
    cell_identity,
    cell_key,
    check_unchanged,
)

PARTS: dict[str, Any] = {
    "weights": "w",
    "tokenizer": "t",
    "dtype": "auto",
    "engine": "e",
    "task": "task",
    "task_version": "1",
    "items": "i",
    "metric": "acc",
    "limit": None,
    "arm": {"role": "base", "shots": 5},
    "demonstrations": "d",
    "kept": None,
}
KEY = "5501f47a2764dac9126f91d0e4ee9d040bf6e82fa33d62b61c8db33caa65820e"
CHANGES = {**dict.fromkeys(PARTS, "other"), "limit": 3, "arm": {"role": "base", "shots": 4}}


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical({"b": 1, "a": [1, 2]}) == canonical({"a": [1, 2], "b": 1})
    assert canonical({"b": 1, "a": [1, 2]}) == '{"a":[1,2],"b":1}'
    assert canonical("ü") == '"ü"'


def test_a_key_of_known_parts_never_changes() -> None:
    """Keys of finished cells are these; whoever changes what is hashed changes `VERSION`."""
    assert VERSION == 1
    assert cell_key(cell_identity(**PARTS)) == KEY


@pytest.mark.parametrize("part", PARTS)
def test_every_part_moves_the_key(part: str) -> None:
    changed = cell_identity(**{**PARTS, part: CHANGES[part]})
    assert cell_key(changed) != cell_key(cell_identity(**PARTS))
    assert len(cell_key(changed)) == 64


def test_a_changed_input_is_an_error() -> None:
    check_unchanged("the weights", "a", "a")
    with pytest.raises(ChangedError, match="the weights changed since the study was planned; run"):
        check_unchanged("the weights", "a", "b")
