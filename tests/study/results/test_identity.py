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
    responses_key,
)

RESPONSES: dict[str, Any] = {
    "model": {"weights": "w", "tokenizer": "t"},
    "prompts": {"task": {"name": "task"}, "limit": None},
}
SCORER: dict[str, Any] = {"metric": "acc", "scale": 1.0}
KEYS = {
    2: (
        "dd3bf4b8470343ed25422b11f0d0bc8232d90170c3a0c158764e262653f05e7b",
        "4524893949b1db7c6ca5eb2ed1dbf78953e7b2940be4df08641ece73a3758d96",
    )
}
"By version, the key of these responses, and of the cell that scores them."


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical({"b": 1, "a": [1, 2]}) == canonical({"a": [1, 2], "b": 1})
    assert canonical({"b": 1, "a": [1, 2]}) == '{"a":[1,2],"b":1}'
    assert canonical("ü") == '"ü"'


def test_keys_of_known_parts_never_change() -> None:
    """Keys of finished cells are these; whoever changes what is hashed changes `VERSION`."""
    identity = cell_identity(RESPONSES, SCORER)
    assert identity["version"] == VERSION
    assert (responses_key(RESPONSES), cell_key(identity)) == KEYS[VERSION]


@pytest.mark.parametrize(("part", "name"), [("model", "weights"), ("prompts", "limit")])
def test_every_part_of_the_responses_moves_both_keys(part: str, name: str) -> None:
    changed = {**RESPONSES, part: {**RESPONSES[part], name: "other"}}
    assert responses_key(changed) != responses_key(RESPONSES)
    assert cell_key(cell_identity(changed, SCORER)) != cell_key(cell_identity(RESPONSES, SCORER))


def test_the_scorer_moves_the_key_of_the_scores_only() -> None:
    keys = {cell_key(cell_identity(RESPONSES, {**SCORER, "scale": s})) for s in (1.0, 0.5)}
    assert len(keys) == 2
    assert all(len(key) == 64 for key in keys)


def test_a_changed_input_is_an_error() -> None:
    check_unchanged("the weights", "a", "a")
    with pytest.raises(ChangedError, match="the weights changed since the study was planned; run"):
        check_unchanged("the weights", "a", "b")
