"""Packed against plain forward passes: log-probabilities of the same tokens, computed both ways.

In: a model and its engine. Out: differences of log-probabilities, in nats. Token sequences are
random, share prefixes, and have short and long branches, so that every kind of batch occurs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.generation.decoding import decode_step, prefill_prefix, prefill_tails
from study.inference.loglikelihood import target_logprobs
from study.inference.packed_batches import Budget
from study.inference.prefix_tree import build_prefix_tree
from study.inference.probe.config_limits import attention_window

PREFIX_LENGTH, DECODING_STEPS = 40, 3


def logprob_differences(model: Any, engine: Engine, max_length: int) -> npt.NDArray[np.float64]:
    """Packed minus plain log-probabilities of the last tokens of random sequences."""
    sequences, prefix_length = _random_sequences(engine, max_length)
    counts = [min(len(sequence) - 1, 2 * PREFIX_LENGTH) for sequence in sequences]
    plain = [
        _plain_logprobs(model, engine, sequence, count)
        for sequence, count in zip(sequences, counts, strict=True)
    ]
    differences = [_packed_logprobs(engine, sequences, counts) - np.concatenate(plain)]
    long = [
        index
        for index, sequence in enumerate(sequences[:-1])
        if len(sequence) > prefix_length + DECODING_STEPS
    ]
    if long:
        prefix = sequences[0][:prefix_length]
        tails = [sequences[index][prefix_length:] for index in long]
        expected = np.stack([plain[index][-DECODING_STEPS:] for index in long])
        differences.append((_decoding_logprobs(engine, prefix, tails) - expected).ravel())
    return np.concatenate(differences)


def _random_sequences(engine: Engine, max_length: int) -> tuple[list[list[int]], int]:
    """Random token sequences with short and long branches, and the length of their common prefix.

    One sequence is longer than the model's attention window, if it has one. The last sequence
    does not begin with the common prefix.
    """
    generator = np.random.default_rng(0)
    # Ids from the middle of the vocabulary: special tokens are at its ends.
    low, high = engine.vocabulary // 8, max(engine.vocabulary * 5 // 8, 2)

    def random_tokens(number: int) -> list[int]:
        return [int(token) for token in generator.integers(low, high, number)]

    prefix = random_tokens(min(PREFIX_LENGTH, max_length // 2))
    sequences = []
    for length in (5, 17, BLOCK_SIZE + 10):
        stem = prefix + random_tokens(length)
        sequences += [stem + random_tokens(3), stem + random_tokens(2)]
        sequences.append(stem[:-1] + random_tokens(4))
    window = attention_window(engine.model.config.get_text_config())
    if window and window < max_length:
        stem = prefix + random_tokens(window + 24)
        sequences += [stem, stem[:-8] + random_tokens(12)]
    sequences.append(random_tokens(PREFIX_LENGTH))
    return [sequence[:max_length] for sequence in sequences], len(prefix)


@torch.inference_mode()
def _plain_logprobs(
    model: Any, engine: Engine, sequence: list[int], count: int
) -> npt.NDArray[np.float64]:
    """Log-probabilities of the last `count` tokens, by the model's own forward pass."""
    tokens = torch.tensor([sequence], device=engine.device)
    logits = model(tokens).logits[0, -count - 1 : -1].float()
    target = tokens[0, -count:, None].to(logits.device)
    return F.log_softmax(logits, -1).gather(1, target)[:, 0].double().cpu().numpy()


def _packed_logprobs(
    engine: Engine, sequences: list[list[int]], counts: list[int]
) -> npt.NDArray[np.float64]:
    """Log-probabilities of the last `counts` tokens of every sequence, in several batches."""
    tree = build_prefix_tree(sequences, block_size=BLOCK_SIZE)
    starts = [len(sequence) - count for sequence, count in zip(sequences, counts, strict=True)]
    nodes = [
        tree.path(index, start - 1, len(sequences[index]) - 1) for index, start in enumerate(starts)
    ]
    targets = [
        np.array(sequence[start:]) for sequence, start in zip(sequences, starts, strict=True)
    ]
    budget = engine.budget
    # A small budget, so that the path between batches is probed too.
    engine.budget = Budget(min(budget.tokens, max(96, len(tree.tokens) // 4)), budget.rows)
    logprobs, _ = target_logprobs(engine, tree, np.concatenate(nodes), np.concatenate(targets))
    engine.budget = budget
    return logprobs


@torch.inference_mode()
def _decoding_logprobs(
    engine: Engine, prefix: list[int], tails: list[list[int]]
) -> npt.NDArray[np.float64]:
    """Log-probabilities [rows, steps] of the last tokens of each tail, by steps of decoding."""
    path = prefill_prefix(engine, prefix)
    beginnings = [tail[:-DECODING_STEPS] for tail in tails]
    caches, logits = prefill_tails(engine, path, beginnings, DECODING_STEPS)
    logprobs = []
    for step in range(DECODING_STEPS):
        tokens = np.array([tail[step - DECODING_STEPS] for tail in tails])
        target = torch.from_numpy(tokens).to(logits.device)[:, None]
        logprobs.append(F.log_softmax(logits.float(), -1).gather(1, target)[:, 0].double().cpu())
        if step < DECODING_STEPS - 1:
            logits = decode_step(engine, caches, tokens)
    return torch.stack(logprobs, 1).numpy()
