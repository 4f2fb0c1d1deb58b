"""Thinking, then the answer, against greedy search one token at a time; interrupted and resumed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch

from study.inference.attention.hook import UnsupportedModelError
from study.inference.generation.greedy_search import generate_tokens
from study.inference.generation.thinking import ThinkingFormat, ThinkingResponse
from tests.study.inference.small_models import (
    PACKED,
    PLAIN,
    SHARED,
    build_model,
    lm_requests,
    shared_prefix_and_hf,
)

FORMAT = ThinkingFormat(opening="an", closing="8", forced=" 8 in ")
BUDGET = 6
STOPS, MOST = ["er", "["], 7
CONTEXTS = [*(SHARED + "in" * n + " an" for n in range(5)), "a bath", "the", "inn"]
REQUESTS = lm_requests(
    "generate_until", [(context, {"until": STOPS, "max_gen_toks": MOST}) for context in CONTEXTS]
)


@cache
def model(name: str) -> Any:
    lm, _ = shared_prefix_and_hf(build_model(*(PACKED | PLAIN)[name]), max_length=512)
    return lm


def thought(lm: Any, format: ThinkingFormat = FORMAT) -> list[ThinkingResponse]:
    responses: list[ThinkingResponse] = lm.generate_thinking(
        REQUESTS, format, BUDGET, disable_tqdm=True
    )
    return responses


def greedy(lm: Any, prompt: list[int], most: int, ends: Callable[[str], bool]) -> list[int]:
    """Tokens after the prompt, each by a forward pass over the whole text."""
    tokens: list[int] = []
    while len(tokens) < most:
        with torch.no_grad():
            logits = lm.model(torch.tensor([[*prompt, *tokens]])).logits
        tokens.append(int(logits[0, -1].argmax()))
        if tokens[-1] == lm.model.generation_config.eos_token_id:
            break
        if ends(lm.tokenizer.decode(tokens)):
            break
    return tokens


def cut(text: str) -> str:
    """The text before the first stop string."""
    for stop in (*STOPS, "<eos>"):
        text = text.split(stop)[0]
    return text


def expected(lm: Any, context: str, format: ThinkingFormat) -> ThinkingResponse:
    decode = lm.tokenizer.decode
    prompt = lm.tokenizer(context).input_ids
    thinking = greedy(lm, prompt, BUDGET, lambda text: format.closing in text)
    before, closing, begun = decode(thinking).partition(format.closing)
    if not closing and not context.endswith(format.opening):
        assert not before.startswith(format.opening)
        answer = greedy(lm, prompt, MOST, lambda text: cut(text) != text)
        return ThinkingResponse(cut(decode(answer, skip_special_tokens=True)), 0, False)
    prompt += thinking
    if not closing:
        if thinking[-1] == lm.model.generation_config.eos_token_id:
            return ThinkingResponse("", len(thinking), False)
        prompt += lm.tokenizer.encode(format.forced, add_special_tokens=False)
    answer = greedy(lm, prompt, MOST, lambda text: cut(text.lstrip()) != text.lstrip())
    text = cut((begun + decode(answer, skip_special_tokens=True)).lstrip())
    return ThinkingResponse(text, len(thinking), not closing)


@pytest.mark.parametrize("name", ["llama", "gemma2", "mpt"])
@pytest.mark.parametrize("closing", ["8", "h"])
def test_responses_are_those_of_greedy_search_in_two_stages(name: str, closing: str) -> None:
    lm = model(name)
    format = ThinkingFormat("an", closing, f" {closing} in ")
    assert thought(lm, format) == [expected(lm, context, format) for context in CONTEXTS]
    report = lm.report()
    assert report["path"] == ("packed" if name in PACKED else "plain")
    assert report["packed_requests"] + sum(report["plain_requests"].values()) == len(REQUESTS)


def test_another_generator_is_never_replaced_in_silence() -> None:
    """Its texts are compared with those of the packed engine, which some models lack."""
    lm, asked = model("llama"), []

    def generator(prompts: Any, generated: Any, end: Any, *callbacks: Any) -> None:
        asked.append(len(prompts))
        penalty = lm.model.generation_config.repetition_penalty
        generate_tokens(lm.probe.engine, prompts, generated, end, penalty, *callbacks)

    alone = thought(lm)
    lm.report()
    with lm.generating_by("other", generator):
        assert thought(lm) == alone
    assert sum(asked) >= len(REQUESTS)
    assert lm.report()["generator"] == "other"
    plain = model("mpt")
    with plain.generating_by("other", generator):
        with pytest.raises(UnsupportedModelError, match="other cannot be compared"):
            thought(plain)
        with pytest.raises(UnsupportedModelError, match="other cannot be compared"):
            plain.generate_until(REQUESTS, disable_tqdm=True)
    plain.report()


@pytest.mark.parametrize("name", ["llama", "mpt"])
def test_a_model_that_stops_while_it_thinks_has_no_answer(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = model(name)
    first = lm.tokenizer(CONTEXTS[0]).input_ids
    second = greedy(lm, first, 2, lambda text: False)[1]
    monkeypatch.setattr(lm.model.generation_config, "eos_token_id", second)
    never = ThinkingFormat("an", "never", "never")
    responses = thought(lm, never)
    assert responses[0] in (ThinkingResponse("", 1, False), ThinkingResponse("", 2, False))
    assert responses == [expected(lm, context, never) for context in CONTEXTS]


def test_every_way_to_end_thinking_occurs() -> None:
    responses = thought(model("llama"))
    assert any(response.is_exhausted for response in responses)
    assert any(response.thinking_tokens == 0 for response in responses)
    assert any(0 < response.thinking_tokens < BUDGET for response in responses)
    assert all(response.thinking_tokens <= BUDGET for response in responses)


def test_white_space_between_thinking_and_answer_is_no_answer() -> None:
    lm = model("llama")

    def ends(text: str, after_thinking: bool) -> bool:
        end = lm._answer_end(100, ["\n"], after_thinking=after_thinking)
        return bool(end.is_reached(lm.tokenizer.encode(text, add_special_tokens=False)))

    assert [ends(text, True) for text in ("\n", "\n\n a", "\n\n a\n")] == [False, False, True]
    assert ends("\n", False)


class InterruptedRun(Exception):
    """A run that was killed."""


@pytest.mark.parametrize("name", ["llama", "mpt"])
def test_interrupted_responses_resume(name: str) -> None:
    lm, rng = model(name), random.Random(0)
    uninterrupted, stored, kills = thought(lm), "{}", 0
    while True:
        tokens = json.loads(stored)
        remaining = rng.randrange(1, 5)

        def on_step(tokens: dict[str, list[int]] = tokens) -> None:
            nonlocal stored, remaining
            stored, remaining = json.dumps(tokens), remaining - 1
            if remaining == 0:
                raise InterruptedRun

        try:
            with lm.resuming(tokens, {}, on_step):
                assert thought(lm) == uninterrupted
            break
        except InterruptedRun:
            kills += 1
    assert kills > 1


def test_tokens_of_a_packed_batch_are_not_a_whole_response_of_the_plain_path() -> None:
    lm = model("llama")
    tokens: dict[str, list[int]] = {}
    with lm.resuming(tokens, {}):
        uninterrupted = thought(lm)
    unfinished = {name: generated[:-1] for name, generated in tokens.items()}
    with lm.plain_path("another device"), lm.resuming(unfinished, {}):
        assert thought(lm) == uninterrupted
    assert unfinished == tokens


def test_a_budget_that_leaves_no_room_for_a_prompt() -> None:
    with pytest.raises(ValueError, match="500 tokens of thinking and 7 of the answer leave no"):
        model("llama").generate_thinking(REQUESTS, FORMAT, 500)
