"""The summary of which path requests took."""

from __future__ import annotations

from collections import Counter

import pytest

from study.inference.lm_eval_model.request_paths import PathCounts


@pytest.mark.parametrize(
    ("packed", "plain", "path"),
    [(0, {}, "plain"), (3, {}, "packed"), (3, {"why": 2}, "mixed"), (0, {"why": 2}, "plain")],
)
def test_summary(packed: int, plain: dict[str, int], path: str) -> None:
    summary = PathCounts(packed, Counter(plain)).summary()
    assert summary == {"path": path, "packed_requests": packed, "plain_requests": plain}
