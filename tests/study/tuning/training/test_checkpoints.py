"""Checkpoints are complete or removed, and belong to one recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.tuning.training.checkpoints import checkpoint_losses, latest_checkpoint, mark_complete


def test_the_latest_complete_checkpoint(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path, "key") is None
    for step in (5, 10, 100):
        (tmp_path / f"checkpoint-{step}").mkdir()
    mark_complete(tmp_path / "checkpoint-5", "key", [1.5])
    mark_complete(tmp_path / "checkpoint-10", "key", [1.5, 0.1])
    latest = latest_checkpoint(tmp_path, "key")
    assert latest == tmp_path / "checkpoint-10"
    assert checkpoint_losses(latest) == [1.5, 0.1]
    assert not (tmp_path / "checkpoint-100").exists()


def test_a_checkpoint_of_another_recipe(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-5").mkdir()
    mark_complete(tmp_path / "checkpoint-5", "other", [])
    with pytest.raises(StudyError, match="found a checkpoint of the recipe other; expected one of"):
        latest_checkpoint(tmp_path, "key")
