"""Log-likelihoods by forward passes with copied states.

In: a `ForkingEngine`, a prefix tree and its targets, or the requests of one call. Out: the same as
`study.inference.loglikelihood` computes by packed forward passes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from study.inference.loglikelihood import RequestTree, sums_by_request
from study.inference.loglikelihood.forking.engine import ForkingEngine
from study.inference.prefix_tree import Ints, PrefixTree

MAX_SOFTMAX_ROWS = 256
"Rows of logits whose log-softmax is computed at a time."


def score_forked(
    engine: ForkingEngine, requests: RequestTree, progress: Callable[[int], object] = lambda _: None
) -> list[tuple[float, bool]]:
    """(log P(answer | context), whether the answer is greedy) for every request.

    `progress` is called with the number of nodes of each forward pass.
    """
    logprobs, is_greedy = forked_logprobs(
        engine, requests.tree, requests.nodes, requests.targets, progress
    )
    return sums_by_request(requests, logprobs, is_greedy)


def forked_logprobs(
    engine: ForkingEngine,
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
    for result in engine.forward_passes(tree, np.unique(nodes)):
        first = np.searchsorted(ascending, result.nodes)
        counts = np.searchsorted(ascending, result.nodes, side="right") - first
        rows = np.repeat(np.arange(len(counts)), counts)
        # The pairs of a node follow each other.
        offsets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        pairs = order[np.repeat(first, counts) + offsets]
        for first_row in range(0, len(rows), MAX_SOFTMAX_ROWS):
            part = slice(first_row, first_row + MAX_SOFTMAX_ROWS)
            logits = result.logits[torch.from_numpy(rows[part]).to(result.logits.device)]
            target = torch.from_numpy(targets[pairs[part]]).to(logits.device)[:, None]
            chosen = F.log_softmax(logits, -1, dtype=torch.float32).gather(1, target)[:, 0]
            logprobs[pairs[part]] = chosen.double().cpu().numpy()
            is_greedy[pairs[part]] = (logits.argmax(-1) == target[:, 0]).cpu().numpy()
        progress(result.computed)
    return logprobs, is_greedy
