"""Weights are read ahead if memory can hold them."""

from __future__ import annotations

from pathlib import Path

from study.models.pairs import zoo
from study.running.executors.weight_prefetch import prefetch_weights


def test_weights_are_read_ahead_where_memory_holds_them(tmp_path: Path) -> None:
    thread = prefetch_weights(Path(zoo()[0].base.path))
    assert thread is not None
    thread.join(20)
    assert not thread.is_alive()
    assert prefetch_weights(tmp_path) is None
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2**43)  # no block of it is on the disk
    assert prefetch_weights(tmp_path) is None


def test_a_file_that_vanishes_is_left_to_the_loading_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    thread = prefetch_weights(tmp_path)
    assert thread is not None
    (tmp_path / "model.safetensors").unlink()
    thread.join(20)
    assert not thread.is_alive()
