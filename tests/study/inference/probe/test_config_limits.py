"""Lengths that a config allows to pack, and configs that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoConfig

from study.inference.attention.hook import UnsupportedModelError
from study.inference.probe.config_limits import (
    MAX_LENGTH,
    MAX_WINDOWED_LENGTH,
    attention_window,
    check_layer_types,
    max_shared_length,
)

DYNAMIC = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}


@pytest.mark.parametrize(
    ("kind", "entries", "length", "window"),
    [
        ("llama", {}, MAX_LENGTH, None),
        ("mistral", {"sliding_window": 50}, MAX_WINDOWED_LENGTH, 50),
        ("llama4_text", {"attention_chunk_size": 70}, MAX_WINDOWED_LENGTH, 70),
        ("llama", {"rope_parameters": DYNAMIC, "max_position_embeddings": 128}, 128, None),
    ],
)
def test_lengths(kind: str, entries: dict[str, Any], length: int, window: int | None) -> None:
    config = AutoConfig.for_model(kind, **entries)
    assert max_shared_length(config) == length
    assert attention_window(config) == window


def test_unknown_layer_types() -> None:
    config = AutoConfig.for_model("llama")
    config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(UnsupportedModelError, match="layers of type linear_attention"):
        check_layer_types(config)
