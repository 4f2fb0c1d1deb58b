"""Tokens generated elsewhere are compared with the engine's own choices."""

from __future__ import annotations

import pytest
import torch

from study.inference.engine import Engine
from study.inference.generation.greedy_search import generate_tokens
from study.inference.generation.response_end import ResponseEnd, eos_tokens
from study.inference.generation.vllm.parity import PROMPTS, ParityError, check_parity
from tests.study.inference.small_models import PACKED, build_model

TEXTS = [[1, 50, 60, 70, 80 + i, *range(90, 90 + i)] for i in range(9)]


def generated_by(engine: Engine) -> list[list[int]]:
    generated: list[list[int]] = [[] for _ in TEXTS]
    end = ResponseEnd(6, eos_tokens(engine.model.generation_config), (), str)
    generate_tokens(engine, TEXTS, generated, end)
    return generated


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_greedy_search_agrees(dtype: torch.dtype) -> None:
    engine = Engine(build_model(*PACKED["llama"]).to(dtype))
    parity = check_parity(engine, TEXTS, generated_by(engine))
    assert parity.prompts == len(TEXTS)
    assert parity.tokens == 6 * len(TEXTS)
    assert parity.equal / parity.tokens > 0.95
    assert parity.largest_gap < 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_other_token_disagrees(dtype: torch.dtype) -> None:
    engine = Engine(build_model(*PACKED["llama"]).to(dtype))
    generated = generated_by(engine)
    generated[4][3] = (generated[4][3] + 1) % 100
    with pytest.raises(ParityError, match="vLLM chose token"):
        check_parity(engine, TEXTS, generated)


def test_another_prompt_disagrees() -> None:
    """As if the beginning-of-sequence token were missing."""
    engine = Engine(build_model(*PACKED["llama"]))
    generated = generated_by(engine)
    with pytest.raises(ParityError):
        check_parity(engine, [text[1:] for text in TEXTS], generated)


def test_the_first_prompts_are_compared() -> None:
    engine = Engine(build_model(*PACKED["llama"]))
    generated = [*generated_by(engine) * 8, [0] * 6]  # the last one is wrong
    parity = check_parity(engine, [*TEXTS * 8, [1, 2]], generated)
    assert parity.prompts == PROMPTS
