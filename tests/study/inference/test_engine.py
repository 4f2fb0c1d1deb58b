"""Forward passes within a budget: halved when memory is exhausted, every node computed once."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from study.inference import engine
from study.inference.prefix_tree.packed_batches import Budget
from tests.study.inference.small_models import (
    PACKED,
    assert_same_scores,
    build_model,
    lm_requests,
    max_difference,
    shared_prefix_and_hf,
    windowed_pair,
    with_budget,
)


def test_running_out_of_memory_halves_the_budget_and_loses_nothing() -> None:
    ours, theirs = windowed_pair()
    generator = random.Random(0)
    pairs = [("the bath " + "".join(generator.choices("thean ", k=20)), "inn") for _ in range(30)]
    requests = lm_requests("loglikelihood", pairs)
    max_tokens = 100

    def exhaust_memory(_: Any, arguments: Any, options: dict[str, Any]) -> None:
        if options["input_ids"].shape[1] > max_tokens:
            raise torch.OutOfMemoryError("simulated")

    model_engine = with_budget(ours, 1000, 1000).probe.engine
    hook = model_engine.model.register_forward_pre_hook(exhaust_memory, with_kwargs=True)
    try:
        scores = ours.loglikelihood(requests)
        assert model_engine.budget == Budget(62, 62)
        arguments = {"until": [], "max_gen_toks": 4}
        prompts = lm_requests("generate_until", [(context, arguments) for context, _ in pairs])
        texts = with_budget(ours, 1000, 1000).generate_until(prompts)
        assert model_engine.budget.tokens <= max_tokens
    finally:
        hook.remove()
    assert_same_scores(scores, theirs.loglikelihood(requests, disable_tqdm=True))
    assert texts == theirs.generate_until(prompts, disable_tqdm=True)


def test_other_errors_are_raised() -> None:
    ours, _ = windowed_pair()
    model = with_budget(ours, 1000, 1000).probe.engine.model

    def fail(*_: Any) -> None:
        raise RuntimeError("something else")

    hook = model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="something else"):
            ours.loglikelihood(lm_requests("loglikelihood", [("a", " then")]))
    finally:
        hook.remove()


@pytest.mark.gpu
def test_memory_of_a_gpu_that_is_really_exhausted() -> None:
    """The limit is a little above what the model occupies, the budget far above it."""
    model = build_model(*PACKED["llama"])
    generator = random.Random(0)
    pairs = [("".join(generator.choices("the an ", k=200)), " inn") for _ in range(400)]
    requests = lm_requests("loglikelihood", pairs)
    expected = shared_prefix_and_hf(model)[0].loglikelihood(requests)
    ours, _ = shared_prefix_and_hf(model.to("cuda"))
    with_budget(ours, 10**6, 10**6)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 64 * 2**20) / total)
    try:
        scores = ours.loglikelihood(requests)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert ours.probe.engine.budget.tokens < 10**6
    assert max_difference(scores, expected) < 1e-4


def test_each_distinct_node_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = windowed_pair()
    computed: list[int] = []
    logits = engine.Engine.logits

    def counting(self: Any, attention: Any, tokens: Any, *rest: Any) -> Any:
        computed.append(len(tokens))
        return logits(self, attention, tokens, *rest)

    monkeypatch.setattr(engine.Engine, "logits", counting)
    shared = "the bath in an inn "
    pairs = [(shared + q, a) for q in ("a", "b") for a in ("hen", "hat", "hen")] * 2
    with_budget(ours, 20, 20).loglikelihood(lm_requests("loglikelihood", pairs))
    prefixes = {
        tuple(tokens[:n])
        for context, answer in pairs
        for tokens in [ours.tok_encode(context + answer)[:-1]]
        for n in range(1, len(tokens) + 1)
    }
    assert sum(computed) == len(prefixes)
