"""Scored requests: the tree that they make, and each one's answer from the nodes it asks about.

In: (context, answer) in tokens. Out: log P(answer | context), and whether greedy search would give
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from study.inference.engine import BLOCK, Engine
from study.inference.prefix_tree import Ints, Tree, prefix_tree


@dataclass(frozen=True)
class Asked:
    """The requests of a call in one tree."""

    nodes: Tree
    at: tuple[Ints, ...]
    "For each request the nodes before its answer's tokens,"
    targets: tuple[Ints, ...]
    "and those tokens."


def requests_tree(requests: Sequence[tuple[list[int], list[int]]], longest: int) -> Asked:
    """One tree of all requests, for a model whose context is `longest` tokens."""
    # Too long: cut from the left, as lm-eval does. The last token is only predicted.
    whole = [(context + answer)[-(longest + 1) :] for context, answer in requests]
    tree = prefix_tree([tokens[:-1] for tokens in whole], block=BLOCK)
    at, targets = [], []
    for i, (tokens, (_, answer)) in enumerate(zip(whole, requests, strict=True)):
        at.append(tree.path(i, len(tokens) - 1 - len(answer), len(tokens) - 1))
        targets.append(np.asarray(answer, dtype=np.int64))
    return Asked(tree, tuple(at), tuple(targets))


def scored(
    engine: Engine, asked: Asked, progress: Callable[[int], object] = lambda _: None
) -> list[tuple[float, bool]]:
    """Each request's answer; `progress` is told how many nodes were computed."""
    nodes, targets = np.concatenate(asked.at), np.concatenate(asked.targets)
    logprobs, greedy = engine.scores(asked.nodes, nodes, targets, progress)
    starts = np.cumsum([0, *map(len, asked.targets)])[:-1]
    sums = np.add.reduceat(logprobs, starts)
    all_greedy = np.logical_and.reduceat(greedy, starts)
    return [(float(s), bool(g)) for s, g in zip(sums, all_greedy, strict=True)]
