"""Which generation requests are greedy search."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import GenerationConfig

from study.inference.generation.arguments import reason_against_batching


@pytest.mark.parametrize(
    ("arguments", "config", "reason"),
    [
        ({}, {}, ""),
        ({"do_sample": False, "temperature": 0.0, "top_p": 0.9}, {}, ""),
        ({}, {"repetition_penalty": 1.2, "top_k": 3}, ""),
        ({"do_sample": True}, {}, "sampling was requested"),
        ({"temperature": 0.7}, {}, "sampling was requested"),
        ({"num_beams": 2}, {}, "generation argument num_beams"),
        (
            {},
            {"no_repeat_ngram_size": 3},
            "the model's generation config sets no_repeat_ngram_size",
        ),
    ],
)
def test_reason_against_batching(
    arguments: dict[str, Any], config: dict[str, Any], reason: str
) -> None:
    assert reason_against_batching(arguments, GenerationConfig(**config)) == reason
