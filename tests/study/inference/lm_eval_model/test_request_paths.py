"""The summary of which path requests took."""

from __future__ import annotations

from collections import Counter

import pytest

from study.inference.lm_eval_model.request_paths import PathCounts


@pytest.mark.parametrize(
    ("packed", "forked", "plain", "path"),
    [
        (0, 0, {}, "plain"),
        (3, 0, {}, "packed"),
        (0, 3, {}, "forked"),
        (3, 0, {"why": 2}, "mixed"),
        (0, 3, {"why": 2}, "mixed"),
        (0, 0, {"why": 2}, "plain"),
    ],
)
def test_summary(packed: int, forked: int, plain: dict[str, int], path: str) -> None:
    summary = PathCounts(packed, forked, Counter(plain)).summary()
    assert summary == {
        "path": path,
        "packed_requests": packed,
        "forked_requests": forked,
        "plain_requests": plain,
    }
