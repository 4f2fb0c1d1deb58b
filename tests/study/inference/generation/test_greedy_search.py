"""The choice of tokens, and the results of greedy search for prompts that share a prefix."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.engine import Engine
from study.inference.generation import decoding, greedy_search
from study.inference.generation.decoding import decode_step
from study.inference.generation.greedy_search import TokenChoice, generate_tokens
from study.inference.generation.response_end import ResponseEnd, eos_tokens
from study.inference.prefix_tree.packed_batches import Budget
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

    def decode(tokens: object) -> str:
        assert isinstance(tokens, list)
        return "7" if tokens[-1] % 7 == 0 else ""

    end = ResponseEnd(12, eos_tokens(model.generation_config), ("7",), decode)
    generated: list[list[int]] = [[] for _ in PROMPTS]
    completed: list[int] = []
    generate_tokens(engine, PROMPTS, generated, end, on_finished=completed.append)
    for prompt, tokens in zip(PROMPTS, generated, strict=True):
        with torch.no_grad():
            text = model.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)[
                0, len(prompt) :
            ].tolist()
        stop = next((i + 1 for i, token in enumerate(text) if token % 7 == 0), len(text))
        assert tokens == text[:stop]
    assert sum(completed) == len(PROMPTS)


def after(max_tokens: int, model: Any) -> ResponseEnd:
    """No stop strings."""
    return ResponseEnd(max_tokens, eos_tokens(model.generation_config), (), str)


def test_a_batch_takes_no_more_than_a_bounded_time_to_prefill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = build_model(*PACKED["llama"])
    engine, batches = Engine(model), []
    expected: list[list[int]] = [[] for _ in PROMPTS]
    generate_tokens(engine, PROMPTS, expected, after(5, model))
    monkeypatch.setattr(
        greedy_search,
        "PREFILL_OPERATIONS",
        {"cpu": 2 * 12 * sum(p.numel() for p in model.parameters())},
    )
    generated: list[list[int]] = [[] for _ in PROMPTS]
    generate_tokens(engine, PROMPTS, generated, after(5, model), on_finished=batches.append)
    assert generated == expected
    # Tails of 2 to 12 tokens, the longest first.
    assert batches[:3] == [0, 1, 1]
    assert max(batches) > 1


def test_tokens_are_kept_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model(*PACKED["llama"])
    engine = Engine(model)
    expected: list[list[int]] = [[] for _ in PROMPTS]
    steps: list[int] = []

    def count_rows(engine: Engine, caches: Any, tokens: Any) -> Any:
        steps.append(len(tokens))
        if len(steps) == failing:
            raise torch.OutOfMemoryError
        return decode_step(engine, caches, tokens)

    monkeypatch.setattr(decoding, "decode_step", count_rows)
    failing = 0
    generate_tokens(engine, PROMPTS, expected, after(8, model))
    undisturbed, steps[:] = sum(steps), []
    failing = 6
    generated: list[list[int]] = [[] for _ in PROMPTS]
    generate_tokens(engine, PROMPTS, generated, after(8, model))
    assert generated == expected
    # The step that failed is not repeated: prefilling what was generated gives its tokens.
    assert sum(steps) == undisturbed
