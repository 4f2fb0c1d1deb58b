"""An engine against plain forward passes: log-probabilities of the same tokens, both ways.

In: a model and its packed or forking engine. Out: log-probabilities by group of tokens, in nats.
Token sequences are random, share prefixes, and have short and long branches, so that every kind of
batch occurs. All tokens of a group are computed in the same way, so that a fault concerns most of a
group or none of it, whereas a mixture-of-experts model sends single tokens to other experts by
rounding alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.generation.decoding import decode_step, prefill_prefix, prefill_tails
from study.inference.loglikelihood import target_logprobs
from study.inference.loglikelihood.forking.engine import ForkingEngine
from study.inference.loglikelihood.forking.scores import forked_logprobs
from study.inference.prefix_tree import build_prefix_tree
from study.inference.prefix_tree.packed_batches import Budget
from study.inference.probe.config_limits import attention_window

PREFIX_LENGTH, DECODING_STEPS = 40, 3
SCORED = 80
"Tokens that are scored at the end of every sequence, at most."
BRANCH_LENGTHS = (3, 2, 4)

AnyEngine = Engine | ForkingEngine
Floats = npt.NDArray[np.float64]
GroupedLogprobs = dict[str, Floats]
"Log-probabilities of tokens by group: each sequence, its last branch, and decoding."


@dataclass(frozen=True)
class ProbeSequences:
    """Token sequences that are scored both ways."""

    prefix: list[int]
    sequences: list[list[int]]
    "All but the last begin with the prefix."
    branches: list[int]
    "The number of tokens at the end of each sequence that belong to no other."

    @property
    def counts(self) -> list[int]:
        """The number of tokens that are scored at the end of each sequence."""
        return [min(len(sequence) - 1, SCORED) for sequence in self.sequences]

    @property
    def decoded(self) -> list[int]:
        """Indices of the sequences that are long enough to be decoded after the prefix."""
        shortest = len(self.prefix) + DECODING_STEPS
        return [i for i, tokens in enumerate(self.sequences[:-1]) if len(tokens) > shortest]

    def grouped(self, logprobs: Sequence[Floats]) -> GroupedLogprobs:
        """The log-probabilities of every sequence, [counts], by group."""
        groups: GroupedLogprobs = {}
        branches = []
        for index, (values, branch) in enumerate(zip(logprobs, self.branches, strict=True)):
            groups[f"sequence {index}"] = values[: len(values) - branch]
            branches.append(values[len(values) - branch :])
        groups["branches"] = np.concatenate(branches)
        return {name: values for name, values in groups.items() if len(values)}


def probe_sequences(engine: AnyEngine, max_length: int) -> ProbeSequences:
    """Random token sequences with short and long branches, and their common prefix.

    If attention is windowed, all scored tokens of two sequences are beyond the window.
    """
    generator = np.random.default_rng(0)
    # Ids from the middle of the vocabulary: special tokens are at its ends.
    low, high = engine.vocabulary // 8, max(engine.vocabulary * 5 // 8, 2)

    def random_tokens(number: int) -> list[int]:
        return [int(token) for token in generator.integers(low, high, number)]

    prefix = random_tokens(min(PREFIX_LENGTH, max_length // 2))
    sequences: list[list[int]] = []
    branches: list[int] = []
    for length in (5, 17, BLOCK_SIZE + 10):
        stem = prefix + random_tokens(length)
        sequences += [stem + random_tokens(3), stem + random_tokens(2)]
        sequences.append(stem[:-1] + random_tokens(4))
        branches += BRANCH_LENGTHS
    window = attention_window(engine.model.config.get_text_config())
    if window and window < max_length:
        stem = prefix + random_tokens(window + SCORED)
        sequences += [stem, stem[:-8] + random_tokens(12)]
        branches += [8, 12]
    sequences.append(random_tokens(PREFIX_LENGTH))
    branches.append(0)
    truncated = [sequence[:max_length] for sequence in sequences]
    branches = [
        max(0, branch - len(whole) + len(rest))
        for branch, whole, rest in zip(branches, sequences, truncated, strict=True)
    ]
    return ProbeSequences(prefix, truncated, branches)


@torch.inference_mode()
def plain_logprobs(model: Any, engine: AnyEngine, probe: ProbeSequences) -> GroupedLogprobs:
    """Log-probabilities by the model's own forward pass, one sequence at a time."""
    logprobs = []
    for sequence, count in zip(probe.sequences, probe.counts, strict=True):
        tokens = torch.tensor([sequence], device=engine.device)
        # Only the logits that are needed: of long sequences they would fill the memory.
        options = {"logits_to_keep": count + 1} if engine.selects_logits else {}
        logits = model(tokens, **options).logits[0, -count - 1 : -1].float()
        target = tokens[0, -count:, None].to(logits.device)
        logprobs.append(F.log_softmax(logits, -1).gather(1, target)[:, 0].double().cpu().numpy())
    groups = probe.grouped(logprobs)
    if decoded := [logprobs[index][-DECODING_STEPS:] for index in probe.decoded]:
        groups["decoding"] = np.concatenate(decoded)
    return groups


def engine_logprobs(engine: AnyEngine, probe: ProbeSequences) -> GroupedLogprobs:
    """Log-probabilities by the engine, and by its steps of decoding if it generates."""
    groups = probe.grouped(_prefilled_logprobs(engine, probe))
    if probe.decoded and isinstance(engine, Engine):
        tails = [probe.sequences[index][len(probe.prefix) :] for index in probe.decoded]
        groups["decoding"] = _decoded_logprobs(engine, probe.prefix, tails).ravel()
    return groups


def _prefilled_logprobs(engine: AnyEngine, probe: ProbeSequences) -> list[Floats]:
    """Log-probabilities of the scored tokens of every sequence, in several batches."""
    sequences = probe.sequences
    tree = build_prefix_tree(sequences, block_size=BLOCK_SIZE)
    starts = [
        len(sequence) - count for sequence, count in zip(sequences, probe.counts, strict=True)
    ]
    nodes = [
        tree.path(index, start - 1, len(sequences[index]) - 1) for index, start in enumerate(starts)
    ]
    targets = [
        np.array(sequence[start:]) for sequence, start in zip(sequences, starts, strict=True)
    ]
    budget = engine.budget
    # A small budget, so that the path between batches is probed too.
    engine.budget = Budget(min(budget.tokens, max(96, len(tree.tokens) // 4)), budget.rows)
    scored = tree, np.concatenate(nodes), np.concatenate(targets)
    if isinstance(engine, ForkingEngine):
        logprobs, _ = forked_logprobs(engine, *scored)
    else:
        logprobs, _ = target_logprobs(engine, *scored)
    engine.budget = budget
    return np.split(logprobs, np.cumsum(probe.counts)[:-1])


@torch.inference_mode()
def _decoded_logprobs(engine: Engine, prefix: list[int], tails: list[list[int]]) -> Floats:
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
