"""Greedy decoding of a batch of prompts with a common prefix.

In: an engine, the path cache of the prefix, the rest of each text (its tail): of a prompt, and of
what was generated before an interruption. Out: the tokens generated for each row. Tails are
prefilled as a prefix tree; from then on every forward pass adds one token to each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.path_cache import KeysValues, PathCache
from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.generation.row_caches import RowCaches
from study.inference.prefix_tree import Ints, PrefixTree, build_prefix_tree

MAX_ROWS_PER_FINISHED = 8
"Finished rows are removed from the batch once they are at least one in this many rows."


def prefill_prefix(engine: Engine, tokens: Sequence[int]) -> PathCache:
    """The keys and values of a prefix, which may be empty."""
    if not tokens:
        return PathCache()
    tree = build_prefix_tree([tokens], block_size=BLOCK_SIZE)
    computed, _ = _prefill(engine, tree, np.empty(0, dtype=np.int64), PathCache())
    return PathCache(len(tokens), computed)


def prefill_tails(
    engine: Engine, prefix: PathCache, tails: Sequence[Sequence[int]], max_new_tokens: int
) -> tuple[RowCaches, Tensor]:
    """Caches of the rows, and the logits [rows, vocabulary] of the token after each tail.

    Every tail has at least one token; the caches have space for `max_new_tokens` more.
    """
    tree = build_prefix_tree(tails, block_size=BLOCK_SIZE, first_depth=prefix.length)
    nodes = [tree.path(row, 0, len(tail)) for row, tail in enumerate(tails)]
    last_nodes = np.array([path[-1] for path in nodes])
    distinct = np.unique(last_nodes)
    computed, logits = _prefill(engine, tree, distinct, prefix)
    rows = np.searchsorted(distinct, last_nodes)
    return RowCaches.from_nodes(prefix, computed, nodes, max_new_tokens), logits[rows]


def _prefill(
    engine: Engine, tree: PrefixTree, requested: Ints, path: PathCache
) -> tuple[dict[Any, KeysValues], Tensor]:
    """Keys and values of all nodes of a tree, and the logits of the requested ones."""
    parts: dict[Any, list[KeysValues]] = {}
    logits = []
    for result in engine.forward_passes(tree, requested, path, keeps_computed=True):
        logits.append(result.logits[:])
        for module, keys_values in result.computed.items():
            parts.setdefault(module, []).append(keys_values)
    computed = {
        module: (torch.cat([k for k, _ in pairs], 2), torch.cat([v for _, v in pairs], 2))
        for module, pairs in parts.items()
    }
    return computed, torch.cat(logits)


def decode_step(engine: Engine, caches: RowCaches, tokens: Ints) -> Tensor:
    """Append a token to every row; the logits [rows, vocabulary] of the token after it."""
    logits = engine.logits(caches, tokens, caches.positions(), np.arange(len(caches)))[:]
    caches.advance()
    return logits


@torch.inference_mode()
def decode_batch(
    engine: Engine,
    prefix: PathCache,
    tails: Sequence[Sequence[int]],
    generated: Sequence[list[int]],
    max_steps: int,
    choose: Callable[[Tensor, Sequence[int], Sequence[Sequence[int]]], Ints],
    is_finished: Callable[[Sequence[int]], bool],
    on_step: Callable[[], object] = lambda: None,
) -> None:
    """Generate tokens for every row, which are appended to `generated`, until all are finished.

    `generated` are the tokens that the rows begin with; `tails` end with them, and no row is
    finished. `choose(logits, rows, generated)` returns the next token of each of `rows` from logits
    [rows, vocabulary]; `is_finished` tells from the tokens of a row whether it ends, which each
    must within `max_steps`. `on_step` is called after every step.
    """
    finished = np.zeros(len(tails), dtype=np.bool_)
    caches, logits = prefill_tails(engine, prefix, tails, max_steps)
    rows = np.arange(len(tails))
    # `rows` are the rows of the batch that the caches still hold.
    while True:
        tokens = choose(logits, rows.tolist(), generated)
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            if not finished[row]:
                generated[row].append(token)
                finished[row] = is_finished(generated[row])
        on_step()
        active = np.flatnonzero(~finished[rows])
        if not len(active):
            return
        if (len(rows) - len(active)) * MAX_ROWS_PER_FINISHED >= len(rows):
            caches.select(active)
            rows, tokens = rows[active], tokens[active]
        logits = decode_step(engine, caches, tokens)
