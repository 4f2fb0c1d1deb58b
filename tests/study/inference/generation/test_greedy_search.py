"""The choice of tokens, and the results of greedy search for prompts that share a prefix."""

from __future__ import annotations

import pytest
import torch

from study.inference.engine import Engine
from study.inference.generation import decoding
from study.inference.generation.greedy_search import TokenChoice, generate_tokens
from study.inference.packed_batches import Budget
from tests.study.inference.small_models import PACKED, build_model

PROMPTS = [[1, 50, 60, 70, 80 + i, *range(90, 90 + i)] for i in range(9)] + [[1, 7]]


def test_the_repetition_penalty_applies_to_prompt_and_response() -> None:
    logits = torch.tensor([[1.0, 0.9, 0.8], [1.0, 0.9, 0.8]])
    assert TokenChoice([[0], [1]], None)(logits, [0, 1], [[], []]).tolist() == [0, 0]
    assert TokenChoice([[0], [1]], 1.0)(logits, [0, 1], [[], []]).tolist() == [0, 0]
    assert TokenChoice([[0], [1]], 2.0)(logits, [0, 1], [[1], [1]]).tolist() == [2, 0]
    assert TokenChoice([[0], [1]], 2.0)(logits[1:], [1], [[1], [1, 0]]).tolist() == [2]


@pytest.mark.parametrize("removal", [1, 1000], ids=["rows stay", "rows are removed at once"])
@pytest.mark.parametrize("rows", [2, 100])
def test_tokens_are_those_of_transformers(
    rows: int, removal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "MAX_ROWS_PER_FINISHED", removal)
    model = build_model(*PACKED["llama"])
    engine = Engine(model)
    engine.budget = Budget(30, rows)
    config = model.generation_config

    def contains_seven(tokens: object) -> bool:
        assert isinstance(tokens, list)
        return tokens[-1] % 7 == 0

    completed: list[int] = []
    generated = generate_tokens(engine, PROMPTS, 12, config, contains_seven, completed.append)
    for prompt, tokens in zip(PROMPTS, generated, strict=True):
        with torch.no_grad():
            text = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[
                0, len(prompt) :
            ].tolist()
        stop = next((i + 1 for i, token in enumerate(text) if token % 7 == 0), len(text))
        assert tokens == text[:stop]
    assert sum(completed) == len(PROMPTS)
