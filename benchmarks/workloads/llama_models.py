"""Llama models of several sizes, with random weights.

In: the name of a size, a device, a dtype. Out: a transformers model.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SHAPES = {
    "smoke": (64, 128, 2, 2),
    "56M": (512, 1280, 8, 8),
    "0.5B": (1024, 4096, 26, 16),
    "1.5B": (2048, 5632, 28, 16),
    "7B": (4096, 11008, 32, 32),
}
"Hidden size, intermediate size, layers, attention heads."


def build_model(
    shape: str, device: str, dtype: torch.dtype, context_window: int, vocabulary: int
) -> Any:
    """A llama of one of `SHAPES`, with random weights."""
    hidden, intermediate, layers, heads = SHAPES[shape]
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        vocab_size=vocabulary,
        max_position_embeddings=context_window,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(dtype)
        model = LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
    return model
