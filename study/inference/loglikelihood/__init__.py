"""Log-likelihood requests: one prefix tree for all, and the score of each from its nodes.

In: (context, answer) pairs as token ids. Out: log P(answer | context), and whether greedy search
would give the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.memory import is_out_of_memory, moved_to, projected_rows, release_memory
from study.inference.prefix_tree import (
    Ints,
    PrefixTree,
    Tokens,
    TokenSequences,
    build_prefix_tree,
)
from study.inference.vocabulary_head import Logits


@dataclass(frozen=True)
class RequestTree:
    """The prefix tree of requests, and where in it their answers are."""

    tree: PrefixTree
    nodes: Ints
    "The nodes at which the tokens of the answers are predicted, one request after the other."
    targets: Ints
    "The tokens of the answers."
    starts: Ints
    "[requests]: where the tokens of each answer begin in `nodes` and `targets`."


@dataclass(frozen=True, eq=False)
class EncodedRequests:
    """(context, answer) requests as token ids."""

    inputs: TokenSequences
    "Context and answer of each request, without the last token, which is predicted but not read."
    answers: Tokens
    "The tokens of all answers."
    starts: Ints
    "[requests + 1]: where each answer begins in `answers`."
    _trees: dict[int, RequestTree] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, pairs: Iterable[tuple[list[int], list[int]]]) -> EncodedRequests:
        """Requests from their tokens; ValueError for a request without any."""
        inputs, answers, starts = [], [], [0]
        for context, answer in pairs:
            if not context and not answer:
                raise ValueError("a request needs a token")
            inputs.append((context + answer)[:-1])
            answers += answer
            starts.append(len(answers))
        return cls(
            TokenSequences.of(inputs),
            np.array(answers, dtype=np.int32),
            np.array(starts, dtype=np.int64),
        )

    @classmethod
    def without_answers(cls, texts: Sequence[list[int]]) -> EncodedRequests:
        """Texts of which nothing is predicted."""
        starts = np.zeros(len(texts) + 1, dtype=np.int64)
        return cls(TokenSequences.of(texts), np.empty(0, dtype=np.int32), starts)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def size(self) -> int:
        """Number of tokens that are stored."""
        return len(self.inputs.tokens) + len(self.answers)

    @property
    def answer_lengths(self) -> Ints:
        """[requests]: tokens of each answer."""
        return np.diff(self.starts)

    def pairs(self) -> list[tuple[list[int], list[int]]]:
        """The tokens of each request, divided into context and answer."""
        tokens, starts = self.answers.tolist(), self.starts.tolist()
        answers = [tokens[start:stop] for start, stop in pairwise(starts)]
        return [
            (inputs[: len(inputs) + 1 - len(answer)], answer)
            for inputs, answer in zip(self.inputs.lists(), answers, strict=True)
        ]

    def tree(self, max_length: int) -> RequestTree:
        """One tree of all requests, for a context window of `max_length` tokens.

        Sequences that are too long are truncated from the left, as lm-eval does. The tree is kept
        for the next model.
        """
        if max_length not in self._trees:
            self._trees.clear()
            self._trees[max_length] = self._tree(max_length)
        return self._trees[max_length]

    def _tree(self, max_length: int) -> RequestTree:
        inputs = self.inputs
        if len(self) and inputs.lengths.max() > max_length:
            inputs = TokenSequences.of(tokens[-max_length:] for tokens in inputs.lists())
        tree = build_prefix_tree(inputs, block_size=BLOCK_SIZE)
        ends = inputs.lengths
        nodes = tree.paths(np.arange(len(self)), ends - self.answer_lengths, ends)
        return RequestTree(tree, nodes, self.answers.astype(np.int64), self.starts[:-1])


def score_requests(
    engine: Engine, requests: RequestTree, progress: Callable[[int], object] = lambda _: None
) -> list[tuple[float, bool]]:
    """(log P(answer | context), whether the answer is greedy) for every request.

    `progress` is called with the number of nodes of each forward pass.
    """
    logprobs, is_greedy = target_logprobs(
        engine, requests.tree, requests.nodes, requests.targets, progress
    )
    return sums_by_request(requests, logprobs, is_greedy)


def sums_by_request(
    requests: RequestTree, logprobs: npt.NDArray[np.float64], is_greedy: npt.NDArray[np.bool_]
) -> list[tuple[float, bool]]:
    """(log P(answer | context), whether the answer is greedy) from its tokens."""
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
    chunk_rows = projected_rows(engine.device, engine.vocabulary)
    results: list[tuple[Tensor, Tensor]] = []
    start = 0
    for result in engine.forward_passes(tree, np.unique(nodes)):
        stop = int(np.searchsorted(ascending, result.stop))
        rows = np.searchsorted(result.nodes, ascending[start:stop])
        # Left on the device: asking for them would wait for a GPU.
        results += row_logprobs(result.logits, rows, targets[order[start:stop]], chunk_rows)
        start = stop
        progress(result.stop - result.start)
    logprobs, is_greedy = np.empty(len(nodes)), np.empty(len(nodes), dtype=np.bool_)
    if not results:
        return logprobs, is_greedy
    logprobs[order] = torch.cat([part for part, _ in results]).double().cpu().numpy()
    is_greedy[order] = torch.cat([part for _, part in results]).cpu().numpy()
    return logprobs, is_greedy


@torch.inference_mode()
def row_logprobs(
    logits: Logits, rows: Ints, targets: Ints, chunk_rows: int
) -> list[tuple[Tensor, Tensor]]:
    """Log-probability of `targets` at `rows` (ascending) of logits, `chunk_rows` rows at a time.

    In parts, each with float32 log-probabilities, and whether each target has the greatest logit of
    its row; on the device of the logits.
    """
    parts = []
    first = 0
    while first < len(logits):
        last = first + chunk_rows
        pairs = slice(*np.searchsorted(rows, (first, last)).tolist())
        if pairs.start == pairs.stop:
            first = last
            continue
        try:
            chunk = logits[first:last]
            row = moved_to(chunk.device, rows[pairs] - first)
            target = moved_to(chunk.device, targets[pairs])
            logprobs = F.log_softmax(chunk, dim=-1, dtype=torch.float32)[row, target]
            parts.append((logprobs, chunk.argmax(-1)[row] == target))
        except RuntimeError as error:
            if chunk_rows == 1 or not is_out_of_memory(error):
                raise
            chunk_rows //= 2
            release_memory(error)
            continue
        first = last
    return parts
