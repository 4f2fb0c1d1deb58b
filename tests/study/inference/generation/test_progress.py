"""Names of generation requests, under which their progress is stored."""

from __future__ import annotations

from study.inference.generation.progress import request_ids


def test_names_of_requests() -> None:
    names = request_ids([("a", {"x": 1, "y": 2}), ("a", {"y": 2, "x": 1}), ("a", {"x": 1})])
    assert len(set(names)) == 3
    assert names[0][:-2] == names[1][:-2]
    assert names[0] == request_ids([("a", {"y": 2, "x": 1})])[0]
