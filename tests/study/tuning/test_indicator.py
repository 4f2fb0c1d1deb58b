"""Scores of turns against attention read off directly; what is marked, and what marks do."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from study.config.tuning.methods import Indicator, Loss
from study.errors import StudyError
from study.models.pairs import zoo
from study.tuning.data.context_indicator import context_scores, load_seed_model
from study.tuning.data.label_weights import label_weights
from study.tuning.data.marking import marking
from study.tuning.data.mixing import Row
from study.tuning.data.rendering import encode
from study.tuning.data.sources import Turn
from study.zoo.instructions import shown_questions
from tests.study.tuning.tokenizers_made import made

MEMBERS = ("llama-early-xs", "neox-early-xs", "olmo2-early-xs")


def conversations(number: int = 6) -> list[tuple[Turn, ...]]:
    rng = random.Random(0)
    found: list[tuple[Turn, ...]] = []
    questions = [
        (Turn("user", wordings[0]), Turn("assistant", answer))
        for skill in ("reverse", "category", "lookup")
        for wordings, _, answer, _ in shown_questions(skill, number, rng, context=0)
    ]
    rng.shuffle(questions)
    for i in range(0, len(questions) - 1, 2):
        system = (Turn("system", "show the answer"),) if i % 4 == 0 else ()
        found.append((*system, *questions[i], *questions[i + 1]))
    return found


def seed(member: str) -> Any:
    path = next(pair for pair in zoo() if pair.name == member).tuned.path
    return load_seed_model(path, "cpu", trust_remote_code=False)


def directly(turns: tuple[Turn, ...], model: Any, layer: int, inside: bool) -> dict[int, float]:
    """By the definition, one token at a time, from the model's own output of all attention."""
    tokenizer = made("zoo")
    row = encode(turns, tokenizer)
    ids = torch.from_numpy(row.ids.astype(np.int64))[None]
    with torch.no_grad():
        attention = model(input_ids=ids, output_attentions=True).attentions[layer][0]
    found = {}
    for m, turn in enumerate(turns):
        if turn.role != "assistant":
            continue
        users = [
            x for x in range(len(row.ids))
            if 0 <= row.turns[x] < m and turns[row.turns[x]].role == "user"
        ]  # fmt: skip
        answer = [y for y in range(len(row.ids)) if row.turns[y] == m]
        mass = [[sum(float(head[y, x]) for x in users) for y in answer] for head in attention]
        if inside:
            found[m] = float(np.mean([max(of[i] for of in mass) for i in range(len(answer))]))
        else:
            found[m] = max(float(np.mean(of)) for of in mass)
    return found


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("layer", [0, 1])
def test_scores_are_the_definitions(member: str, layer: int) -> None:
    model, chats = seed(member), conversations(2)
    for heads in ("outside", "inside"):
        scores = context_scores(chats, model, made("zoo"), layer=layer, heads=heads)  # type: ignore[arg-type]
        for turns, found in zip(chats, scores, strict=True):
            wanted = directly(turns, model, layer, heads == "inside")
            assert found.keys() == wanted.keys()
            for number, value in found.items():
                assert value == pytest.approx(wanted[number], abs=1e-5)


def test_the_released_reading_is_never_smaller() -> None:
    model, chats = seed(MEMBERS[0]), conversations()
    outside = context_scores(chats, model, made("zoo"), layer=None, heads="outside")
    inside = context_scores(chats, model, made("zoo"), layer=None, heads="inside")
    pairs = [(a[m], b[m]) for a, b in zip(outside, inside, strict=True) for m in a]
    assert all(one <= other + 1e-6 for one, other in pairs)
    assert any(one < other - 1e-4 for one, other in pairs)


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(StudyError, match="0 attention modules of layer 7"):
        context_scores(conversations(1), seed(MEMBERS[0]), made("zoo"), layer=7, heads="outside")


SCORES = [{1: 0.9, 3: 0.2}, {1: 0.7}, {1: 0.1}, {1: 0.3}]


def rows() -> list[Row]:
    def turns(*texts: str) -> tuple[Turn, ...]:
        roles = ("user", "assistant") * 2
        return tuple(Turn(role, text) for role, text in zip(roles, texts, strict=False))

    return [
        Row("a", turns("a b", "c", "a", "b")),
        Row("a", turns("a b c", "c")),
        Row("b", turns("a b c d e f", "c")),
        Row("b", turns("a b c d e", "c")),
    ]


def indicator(**how: Any) -> Indicator:
    return Indicator(seed_model="zoo:llama-early-xs/tuned", marker="now", **how)


def test_a_score_above_the_threshold_is_marked() -> None:
    made_marking = marking(indicator(marked="text"), rows(), SCORES, seed=0)
    turns, emphasis, marks = made_marking(0, rows()[0])
    assert [turn.content for turn in turns] == ["a b now", "c", "a", "b"]
    assert emphasis is None
    assert marks == 1
    assert [made_marking(i, row)[2] for i, row in enumerate(rows())] == [1, 1, 0, 0]
    assert made_marking.table().splitlines()[:2] == ["source,score,marked", "a,0.9,1"]


@pytest.mark.parametrize("choose", ["random", "length"])
def test_controls_mark_as_many_turns(choose: str) -> None:
    by_seed = {
        seed: tuple(
            marking(indicator(choose=choose, marked="text"), rows(), SCORES, seed)(i, row)[2]
            for i, row in enumerate(rows())
        )
        for seed in range(20)
    }
    assert {sum(marks) for marks in by_seed.values()} == {2}
    if choose == "length":
        assert set(by_seed.values()) == {(0, 0, 1, 1)}
    else:
        assert len(set(by_seed.values())) > 2


@pytest.mark.parametrize("choose", ["random", "length"])
def test_rows_that_are_alike_are_marked_one_by_one(choose: str) -> None:
    alike = [rows()[0]] * 8
    scores = [{1: 0.9, 3: 0.2}] * 2 + [{1: 0.1, 3: 0.2}] * 6
    made_marking = marking(indicator(choose=choose, marked="text"), alike, scores, seed=0)
    assert sum(made_marking(i, row)[2] for i, row in enumerate(alike)) == 2


def test_upweighting_changes_weights_and_no_text() -> None:
    turns, emphasis, _ = marking(indicator(marked="weight", weight=3), rows(), SCORES, seed=0)(
        0, rows()[0]
    )
    assert turns == rows()[0].turns
    row = encode(turns, made("zoo"))
    plain = label_weights(row, Loss())
    weighted = label_weights(row, Loss(), emphasis)
    factor = np.where(row.turns == 1, 3, 1)
    for mine, theirs in zip(weighted, plain, strict=True):
        np.testing.assert_allclose(mine, theirs * factor)


@pytest.mark.parametrize("adapter", [None, {"r": 4, "dropout": 0.0}])
def test_a_new_tokens_embedding_is_trained(
    adapter: dict[str, Any] | None, make_run: Any, tmp_path: Path
) -> None:
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    from study.planning.plan_study import planned, tune_planned

    run = make_run(
        "run", pairs=..., layout="zoo", tasks={"suite": "zoo_mc", "only": ["zoo_reverse_mc"]},
        tuning={
            "mixtures": {"m": {"sources": [{"zoo": ["reverse", "lookup"]}], "rows": 128}},
            "indicators": {
                "i": {"seed_model": "zoo:neox-late-l/tuned", "layer": 0, "threshold": 0.5}
            },
            "optimisers": {"o": {"learning_rate": 1e-3, "batch": 16}},
            "adapters": {"a": adapter} if adapter else {},
            "losses": {"near": {"kl": 0.01}},
            "recipes": [
                {"name": "r", "bases": [{"source": "zoo", "pair": ["llama-early-xs"]}],
                 "mixture": "m", "indicator": "i", "optimiser": "o", "loss": "near",
                 "adapter": "a" if adapter else "none"},
            ],
        },
    )  # fmt: skip
    state = planned(run)
    _, events = tune_planned(state, ["cpu"])
    assert not [event.reason for event in events if event.kind == "failed"]
    (tuned,) = state.resolved.tuned.values()
    tokenizer = AutoTokenizer.from_pretrained(tuned.folder)
    token = tokenizer.convert_tokens_to_ids("[IND]")
    assert tokenizer("a b [IND]").input_ids[-1] == token
    after = load_file(tuned.folder / "model.safetensors")["model.embed_tokens.weight"]
    base = load_file(Path(state.resolved.pairs[0].base.path) / "model.safetensors")
    before = base["model.embed_tokens.weight"].float()
    assert after.shape[0] == before.shape[0] + 1 == token + 1
    moved = (after[token] - before.mean(0)).abs().max()
    assert float(moved) > 1e-3, "the marker's embedding stayed at the mean"
    if adapter:  # and no other was touched
        torch.testing.assert_close(after[:-1], before, rtol=0, atol=1e-6)
