"""What a model's config allows, before any forward pass.

In: a transformers config. Out: the length up to which sequences may share prefixes;
UnsupportedModelError for layers of an unknown type.
"""

from __future__ import annotations

from typing import Any

from study.inference.attention.hook import UnsupportedModelError

SUPPORTED_LAYER_TYPES = {"full_attention", "sliding_attention", "chunked_attention"}
MAX_WINDOWED_LENGTH = 32768
"Longest sequence that is packed if attention is windowed: wider windows are never probed."
MAX_LENGTH = 2**31
BATCH_DEPENDENT_ROPE = ("dynamic", "longrope")
"Rotary embeddings whose frequencies depend on the length of the whole batch."


def check_layer_types(config: Any) -> None:
    """UnsupportedModelError if there are layers that cannot be packed."""
    types = set(getattr(config.get_text_config(), "layer_types", None) or ())
    if unknown := types - SUPPORTED_LAYER_TYPES:
        raise UnsupportedModelError(f"it has layers of type {', '.join(sorted(unknown))}")


def max_shared_length(config: Any) -> int:
    """The length up to which the computation of a token depends only on the tokens before it."""
    config = config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    is_per_layer_type = all(isinstance(value, dict) for value in rope.values())
    length = MAX_WINDOWED_LENGTH if attention_window(config) else MAX_LENGTH
    for parameters in rope.values() if is_per_layer_type else [rope]:
        if parameters.get("rope_type") in BATCH_DEPENDENT_ROPE:
            original = parameters.get("original_max_position_embeddings")
            length = min(length, int(original or config.max_position_embeddings))
    return length


def attention_window(config: Any) -> int | None:
    """The smallest window of a model's layers, in tokens; None if attention is not windowed."""
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min((size for size in sizes if size), default=None)
