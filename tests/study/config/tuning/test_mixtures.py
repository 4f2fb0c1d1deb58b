"""A source of a mixture is exactly one of four kinds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from study.config.tuning.mixtures import Source

KINDS: dict[str, Any] = {"zoo": ["reverse"], "suite": "paper", "task": "rte", "file": "rows.jsonl"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_is_a_source(kind: str) -> None:
    assert Source(**{kind: KINDS[kind]}).kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_none_or_two_kinds_are_an_error(kind: str) -> None:
    with pytest.raises(ValidationError, match="exactly one of zoo, suite, task and file, found 0"):
        Source(name="none")
    for other in KINDS.keys() - {kind}:
        with pytest.raises(ValidationError, match="found 2"):
            Source(**{kind: KINDS[kind], other: KINDS[other]})
