"""Any tree of requests, in any order, with any budget: lm-eval's own answers."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.inference import engine
from study.inference.packed_batches import Budget
from tests.study.inference.models import PACKED, ask, both, build

LENGTH = 64
Texts = st.text(alphabet="thean ib😀é\n", max_size=12)
Contexts = st.lists(
    st.tuples(st.sampled_from(["", "the bath ", "the bath in an inn ", "then " * 30]), Texts).map(
        "".join
    ),
    min_size=1,
    max_size=6,
)
Answers = st.lists(
    st.one_of(Texts.filter(str.strip), st.sampled_from(["a", "ab", "ab the", "b" * 60])),
    min_size=1,
    max_size=3,
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def sides() -> tuple[Any, Any]:
    return both(build(*PACKED["mistral, window"]), max_length=LENGTH)


def with_budget(lm: Any, budget: Budget) -> Any:
    lm.probed.engine.budget = budget
    return lm


def same(ours: list[Any], theirs: list[Any]) -> None:
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    for (a, _), (b, _) in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, abs=1e-4, rel=1e-6)


@quick
@given(Contexts, Answers, st.integers(1, 80), st.integers(1, 40), st.integers(1, 80), st.data())
def test_choices(
    contexts: list[str], answers: list[str], tokens: int, rows: int, block: int, data: Any
) -> None:
    ours, theirs = sides()
    pairs = [(c, a) for c in contexts for a in answers if len(ours.tok_encode(c + a)) < LENGTH]
    pairs += [("then " * 30, a) for a in answers if len(a) < 50]  # longer than the model
    # A tokenizer may merge an answer into its context: then there is nothing to score.
    pairs = [(c, a) for c, a in pairs if not c or ours._encode_pair(c, a)[1]]
    pairs += pairs[:1]
    pairs = data.draw(st.permutations(pairs))
    requests = ask("loglikelihood", pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.inference.loglikelihood.BLOCK", block)
        found = with_budget(ours, Budget(tokens, rows)).loglikelihood(requests)
    same(found, theirs.loglikelihood(requests, disable_tqdm=True))


@quick
@given(st.lists(st.tuples(Texts, st.integers(1, 12)), min_size=1, max_size=4), st.integers(1, 80))
def test_texts(parts: list[tuple[str, int]], tokens: int) -> None:
    ours, theirs = sides()
    requests = ask("loglikelihood_rolling", [("a" + text * times,) for text, times in parts])
    found = with_budget(ours, Budget(tokens, 17)).loglikelihood_rolling(requests)
    assert found == pytest.approx(
        theirs.loglikelihood_rolling(requests, disable_tqdm=True), abs=1e-3, rel=1e-6
    )


@quick
@given(Contexts, st.integers(1, 80), st.integers(1, 9), st.integers(1, 20))
def test_generation(contexts: list[str], tokens: int, rows: int, room: int) -> None:
    ours, theirs = sides()
    how = {"until": ["in", "\n"], "max_gen_toks": room}
    requests = ask("generate_until", [(context + "a", how) for context in contexts])
    found = with_budget(ours, Budget(tokens, rows)).generate_until(requests)
    assert found == theirs.generate_until(requests, disable_tqdm=True)


def test_memory_that_ends_halves_the_budget_and_loses_nothing() -> None:
    ours, theirs = sides()
    generator = random.Random(0)
    pairs = [("the bath " + "".join(generator.choices("thean ", k=20)), "inn") for _ in range(30)]
    requests = ask("loglikelihood", pairs)
    most = 100

    def full(_: Any, arguments: Any, named: dict[str, Any]) -> None:
        if named["input_ids"].shape[1] > most:
            raise torch.OutOfMemoryError("pretended")

    engine_of = with_budget(ours, Budget(1000, 1000)).probed.engine
    hook = engine_of.model.register_forward_pre_hook(full, with_kwargs=True)
    try:
        found = ours.loglikelihood(requests)
        assert engine_of.budget == Budget(62, 62)
        prompts = ask("generate_until", [(c, {"until": [], "max_gen_toks": 4}) for c, _ in pairs])
        texts = with_budget(ours, Budget(1000, 1000)).generate_until(prompts)
        assert engine_of.budget.tokens <= most
    finally:
        hook.remove()
    same(found, theirs.loglikelihood(requests, disable_tqdm=True))
    assert texts == theirs.generate_until(prompts, disable_tqdm=True)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    ours, _ = sides()
    model = with_budget(ours, Budget(1000, 1000)).probed.engine.model

    def broken(*_: Any) -> None:
        raise RuntimeError("something else")

    hook = model.register_forward_pre_hook(broken)
    try:
        with pytest.raises(RuntimeError, match="something else"):
            ours.loglikelihood(ask("loglikelihood", [("a", " then")]))
    finally:
        hook.remove()


def test_an_answer_without_tokens_is_said() -> None:
    ours, _ = sides()
    assert ours.tok_encode("ba") == [*ours.tok_encode(""), *ours.tok_encode("ba")[-1:]]
    with pytest.raises(ValueError, match=r"an answer of 0 tokens cannot be scored.*'b', 'a'"):
        ours.loglikelihood(ask("loglikelihood", [("b", "a")]))


def test_each_distinct_node_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = sides()
    computed: list[int] = []
    through = engine.Engine.logits

    def counting(self: Any, attends: Any, tokens: Any, *rest: Any) -> Any:
        computed.append(len(tokens))
        return through(self, attends, tokens, *rest)

    monkeypatch.setattr(engine.Engine, "logits", counting)
    shared = "the bath in an inn "
    pairs = [(shared + q, a) for q in ("a", "b") for a in ("hen", "hat", "hen")] * 2
    with_budget(ours, Budget(20, 20)).loglikelihood(ask("loglikelihood", pairs))
    prefixes = {
        tuple(tokens[:n])
        for context, answer in pairs
        for tokens in [ours.tok_encode(context + answer)[:-1]]
        for n in range(1, len(tokens) + 1)
    }
    assert sum(computed) == len(prefixes)
