"""Scores of turns against attention weights read directly from the model."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from study.errors import StudyError
from study.models.pairs import zoo
from study.tuning.data.context_indicator import load_seed_model, score_turns
from study.tuning.data.rendering import encode
from study.tuning.data.sources import Turn
from study.zoo.instructions import training_questions
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer

MEMBERS = ("llama-early-xs", "neox-early-xs", "olmo2-early-xs")


def conversations(number: int = 6) -> list[tuple[Turn, ...]]:
    rng = random.Random(0)
    chats: list[tuple[Turn, ...]] = []
    questions = [
        (Turn("user", wordings[0]), Turn("assistant", answer))
        for skill in ("reverse", "category", "lookup")
        for wordings, _, answer, _ in training_questions(skill, number, rng, context=0)
    ]
    rng.shuffle(questions)
    for i in range(0, len(questions) - 1, 2):
        system = (Turn("system", "show the answer"),) if i % 4 == 0 else ()
        chats.append((*system, *questions[i], *questions[i + 1]))
    return chats


@cache
def seed_model(member: str) -> Any:
    path = next(pair for pair in zoo() if pair.name == member).tuned.path
    return load_seed_model(path, "cpu", trust_remote_code=False)


def by_definition(
    turns: tuple[Turn, ...], model: Any, layer: int, inside: bool
) -> dict[int, float]:
    """By the definition, one token at a time, from the model's own output of all attention."""
    tokenizer = small_tokenizer("zoo")
    row = encode(turns, tokenizer, rendered_from(tokenizer))
    ids = torch.from_numpy(row.ids.astype(np.int64))[None]
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[layer][0]
    scores = {}
    for m, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        users = [
            x
            for x in range(len(row.ids))
            if 0 <= row.turns[x] < m and turns[row.turns[x]].role == "user"
        ]
        answer = [y for y in range(len(row.ids)) if row.turns[y] == m]
        mass = [[sum(float(head[y, x]) for x in users) for y in answer] for head in attention]
        if inside:
            maxima = [max(head[i] for head in mass) for i in range(len(answer))]
            scores[m] = float(np.mean(maxima))
        else:
            scores[m] = max(float(np.mean(head)) for head in mass)
    return scores


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("layer", [0, 1])
def test_scores_follow_the_definition(member: str, layer: int) -> None:
    model, chats = seed_model(member), conversations(2)
    for heads in ("outside", "inside"):
        scores = score_turns(
            chats,
            model,
            small_tokenizer("zoo"),
            rendered_from(small_tokenizer("zoo")),
            layer=layer,
            heads=heads,
        )  # type: ignore[arg-type]
        for turns, turn_scores in zip(chats, scores, strict=True):
            expected = by_definition(turns, model, layer, heads == "inside")
            assert turn_scores.keys() == expected.keys()
            for turn, score in turn_scores.items():
                assert score == pytest.approx(expected[turn], abs=1e-5)


def test_the_released_variant_is_never_smaller() -> None:
    model, chats = seed_model(MEMBERS[0]), conversations()
    tokenizer = small_tokenizer("zoo")
    rendering = rendered_from(tokenizer)
    outside = score_turns(chats, model, tokenizer, rendering, layer=None, heads="outside")
    inside = score_turns(chats, model, tokenizer, rendering, layer=None, heads="inside")
    pairs = [(a[m], b[m]) for a, b in zip(outside, inside, strict=True) for m in a]
    assert all(one <= other + 1e-6 for one, other in pairs)
    assert any(one < other - 1e-4 for one, other in pairs)


def test_a_layer_that_does_not_exist() -> None:
    with pytest.raises(StudyError, match="0 attention modules of layer 7"):
        score_turns(
            conversations(1),
            seed_model(MEMBERS[0]),
            small_tokenizer("zoo"),
            rendered_from(small_tokenizer("zoo")),
            layer=7,
            heads="outside",
        )
