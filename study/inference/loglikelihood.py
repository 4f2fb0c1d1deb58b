"""Log-likelihood requests: one prefix tree for all, and the score of each from its nodes.

In: (context, answer) pairs of token ids. Out: log P(answer | context), and whether greedy search
would give the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.prefix_tree import Ints, PrefixTree, build_prefix_tree

MAX_SOFTMAX_ROWS = 256
"Rows of logits whose log-softmax is computed at a time."


@dataclass(frozen=True)
class RequestTree:
    """The requests of one call."""

    tree: PrefixTree
    nodes: Ints
    "The nodes at which the tokens of the answers are predicted, one request after the other."
    targets: Ints
    "The tokens of the answers."
    starts: Ints
    "[requests]: where the tokens of each answer begin in `nodes` and `targets`."


def build_request_tree(
    requests: Sequence[tuple[list[int], list[int]]], max_length: int
) -> RequestTree:
    """One tree of all (context, answer) requests, for a context window of `max_length` tokens.

    Sequences that are too long are truncated from the left, as lm-eval does.
    """
    # One more than the window: the last token is predicted, but not an input.
    sequences = [(context + answer)[-(max_length + 1) : -1] for context, answer in requests]
    tree = build_prefix_tree(sequences, block_size=BLOCK_SIZE)
    sizes = np.array([len(answer) for _, answer in requests], dtype=np.int64)
    ends = np.array([len(tokens) for tokens in sequences], dtype=np.int64)
    nodes = tree.paths(np.arange(len(requests)), ends - sizes, ends)
    targets = np.array([token for _, answer in requests for token in answer], dtype=np.int64)
    return RequestTree(tree, nodes, targets, np.cumsum(sizes) - sizes)


def score_requests(
    engine: Engine, requests: RequestTree, progress: Callable[[int], object] = lambda _: None
) -> list[tuple[float, bool]]:
    """(log P(answer | context), whether the answer is greedy) for every request.

    `progress` is called with the number of nodes of each forward pass.
    """
    logprobs, is_greedy = target_logprobs(
        engine, requests.tree, requests.nodes, requests.targets, progress
    )
    sums = np.add.reduceat(logprobs, requests.starts)
    all_greedy = np.logical_and.reduceat(is_greedy, requests.starts)
    return [(float(s), bool(g)) for s, g in zip(sums, all_greedy, strict=True)]


def target_logprobs(
    engine: Engine,
    tree: PrefixTree,
    nodes: Ints,
    targets: Ints,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """log P(target | path to node) of every (node, target), and whether the target is greedy.

    `nodes` and `targets` have the same length; nodes may repeat and come in any order.
    """
    order = np.argsort(nodes, kind="stable")
    ascending = nodes[order]
    logprobs, is_greedy = np.empty(len(nodes)), np.empty(len(nodes), dtype=np.bool_)
    start = 0
    for result in engine.forward_passes(tree, np.unique(nodes)):
        stop = int(np.searchsorted(ascending, result.stop))
        pairs = order[start:stop]
        rows = np.searchsorted(result.nodes, ascending[start:stop])
        logprobs[pairs], is_greedy[pairs] = row_logprobs(result.logits, rows, targets[pairs])
        start = stop
        progress(result.stop - result.start)
    return logprobs, is_greedy


def row_logprobs(
    logits: Tensor, rows: Ints, targets: Ints
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Log-probability of `targets` at `rows` (ascending) of logits [rows, vocabulary].

    Also returns whether each target has the greatest logit of its row.
    """
    logprobs, is_greedy = np.empty(len(rows)), np.empty(len(rows), dtype=np.bool_)
    for first in range(0, len(logits), MAX_SOFTMAX_ROWS):
        pairs = slice(*np.searchsorted(rows, (first, first + MAX_SOFTMAX_ROWS)).tolist())
        if pairs.start == pairs.stop:
            continue
        chunk = logits[first : first + MAX_SOFTMAX_ROWS]
        row = torch.from_numpy(rows[pairs] - first).to(logits.device)
        target = torch.from_numpy(targets[pairs]).to(logits.device)
        likeliest = chunk.argmax(-1)
        chunk_logprobs = F.log_softmax(chunk, dim=-1, dtype=torch.float32)[row, target]
        logprobs[pairs] = chunk_logprobs.double().cpu().numpy()
        is_greedy[pairs] = (likeliest[row] == target).cpu().numpy()
    return logprobs, is_greedy
