"""States are copied at branches, in any order and with any budget; the original stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from study.inference.attention.hook import UnsupportedModelError
from study.inference.loglikelihood.forking.cache_copies import copied_rows
from study.inference.loglikelihood.forking.engine import ForkingEngine
from study.inference.loglikelihood.forking.scores import forked_logprobs
from study.inference.loglikelihood.forking.tree_runs import TreeRuns
from study.inference.prefix_tree import build_prefix_tree
from study.inference.prefix_tree.packed_batches import Budget
from tests.study.inference.small_models import PLAIN, build_model, sixty_examples

Sequences = st.lists(st.lists(st.integers(3, 5), min_size=2, max_size=9), min_size=1, max_size=8)


@sixty_examples
@given(Sequences)
def test_runs_cover_the_tree(sequences: list[list[int]]) -> None:
    tree = build_prefix_tree(sequences, block_size=4)
    runs = TreeRuns.of(tree)
    pending, seen = [(runs.roots(), 0)], []
    while pending:
        siblings, depth = pending.pop()
        while siblings:
            batch, siblings = runs.next_batch(siblings, 12)
            assert batch.depth == depth
            for run, nodes, occupied in zip(batch.runs, batch.nodes, batch.occupied, strict=True):
                seen += nodes[occupied].tolist()
                assert tree.depth[nodes[occupied]].tolist() == list(
                    range(depth, depth + occupied.sum())
                )
                if children := runs.children(run):
                    pending.append((children, depth + int(occupied.sum())))
                    assert occupied.all()
    assert sorted(seen) == list(range(len(tree.tokens)))


@pytest.mark.parametrize("budget", [3, 16, 1000])
@pytest.mark.parametrize("name", ["qwen3_next", "mpt", "diffllama"])
def test_log_probabilities_are_those_of_whole_sequences(name: str, budget: int) -> None:
    model = build_model(*PLAIN[name])
    engine = ForkingEngine(model)
    engine.budget = Budget(budget, budget)
    generator = np.random.default_rng(0)
    stem = generator.integers(3, 300, 30).tolist()
    sequences = [
        [*stem[: int(generator.integers(5, 30))], *generator.integers(3, 6, length).tolist()]
        for length in generator.integers(2, 12, 20)
    ]
    tree = build_prefix_tree([tokens[:-1] for tokens in sequences], block_size=64)
    nodes = np.array([tree.path(i, len(s) - 2, len(s) - 1)[0] for i, s in enumerate(sequences)])
    targets = np.array([tokens[-1] for tokens in sequences])
    computed: list[int] = []
    logprobs, is_greedy = forked_logprobs(engine, tree, nodes, targets, computed.append)
    assert sum(computed) == len(tree.tokens)
    for tokens, logprob, greedy in zip(sequences, logprobs, is_greedy, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([tokens[:-1]])).logits[0, -1]
        assert logprob == pytest.approx(float(logits.log_softmax(-1)[tokens[-1]]), abs=1e-4)
        assert greedy == (int(logits.argmax()) == tokens[-1])


def test_running_out_of_memory_halves_the_budget() -> None:
    model = build_model(*PLAIN["qwen3_next"])
    engine = ForkingEngine(model)
    engine.budget = Budget(1000, 1000)
    sequences = [[7, 8, 9, token, token + 1, 5] for token in range(20, 60)]
    tree = build_prefix_tree(sequences, block_size=64)
    nodes, targets = np.arange(len(tree.tokens)), np.zeros(len(tree.tokens), dtype=np.int64)
    expected, _ = forked_logprobs(engine, tree, nodes, targets)

    def exhaust_memory(_: object, __: object, options: dict[str, torch.Tensor]) -> None:
        if options["input_ids"].numel() > 40:
            raise torch.OutOfMemoryError("simulated")

    model.register_forward_pre_hook(exhaust_memory, with_kwargs=True)
    logprobs, _ = forked_logprobs(engine, tree, nodes, targets)
    assert engine.budget.tokens < 1000
    assert np.abs(logprobs - expected).max() < 1e-4


def test_the_original_cache_is_not_changed() -> None:
    model = build_model(*PLAIN["qwen3_next"])
    tokens = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        cache = model(tokens, use_cache=True).past_key_values
        expected = model(torch.tensor([[9, 10]]), past_key_values=copied_rows(cache, [0], "cpu"))
        copied = copied_rows(cache, [0, 0, 0], "cpu")
        model(torch.tensor([[20, 21]] * 3), past_key_values=copied)
        again = model(torch.tensor([[9, 10]]), past_key_values=copied_rows(cache, [0], "cpu"))
    assert torch.equal(expected.logits, again.logits)


def test_other_kinds_of_state() -> None:
    with pytest.raises(UnsupportedModelError, match="its state is a tuple"):
        copied_rows((1, 2), [0], torch.device("cpu"))
