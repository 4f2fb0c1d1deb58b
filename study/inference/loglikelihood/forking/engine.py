"""Forward passes over a prefix tree with states that are copied at its branches.

In: a causal model that computes with a cache, a prefix tree, and the nodes whose logits are needed.
Out: `ForkedPass`: logits, in the order in which runs are computed. The tree is walked run by run,
depth first, so that memory holds the states of one path. Siblings without descendants form one
batch, padded at the right: what padding does to their states no longer matters. Siblings with
descendants are batched if they have the same length.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.hook import UnsupportedModelError
from study.inference.loglikelihood.forking.cache_copies import copied_rows
from study.inference.loglikelihood.forking.tree_runs import RunBatch, TreeRuns
from study.inference.memory import initial_budget, is_out_of_memory, release_memory
from study.inference.prefix_tree import Ints, PrefixTree

CACHE_ARGUMENTS = ("past_key_values", "cache_params")
"What models call their cache, as an argument and in their output."


@dataclass(frozen=True)
class ForkedPass:
    """The result of one forward pass."""

    nodes: Ints
    "The requested nodes that it computed."
    logits: Tensor
    "[nodes, vocabulary]"
    computed: int
    "Number of distinct nodes that it computed, requested or not."


class ForkingEngine:
    """A model, and the budget of tokens within which its forward passes stay."""

    def __init__(self, model: Any) -> None:
        """UnsupportedModelError if the model does not take a cache."""
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        parameters = inspect.signature(type(self.model).forward).parameters
        names = [name for name in CACHE_ARGUMENTS if name in parameters]
        if not names:
            raise UnsupportedModelError(f"{type(self.model).__name__} takes no cache")
        self._cache_name = names[0]
        self.selects_logits = "logits_to_keep" in parameters
        self._takes_positions = "position_ids" in parameters
        embeddings = self.model.get_input_embeddings().weight
        self.device = embeddings.device
        self.vocabulary, width = embeddings.shape
        self.budget = initial_budget(self.device, self.vocabulary, width)

    @torch.inference_mode()
    def forward_passes(self, tree: PrefixTree, requested: Ints) -> Iterator[ForkedPass]:
        """Forward passes over all nodes of a tree; `requested` are nodes whose logits are needed.

        Every batch is repeated with half the budget if memory is exhausted.
        """
        runs = TreeRuns.of(tree)
        is_requested = np.zeros(len(tree.tokens), dtype=np.bool_)
        is_requested[requested] = True
        # The cache of a parent, its row in it, and runs below it that are still to be computed.
        pending: list[tuple[Any, int, list[int]]] = [(None, 0, runs.roots())]
        while pending:
            cache, row, siblings = pending.pop()
            batch, rest = runs.next_batch(siblings, self.budget.tokens)
            if rest:
                pending.append((cache, row, rest))
            try:
                passes, below = self._compute(tree, runs, batch, cache, row, is_requested)
            except RuntimeError as error:
                smaller = self.budget.halved() if is_out_of_memory(error) else None
                if smaller is None:
                    raise
                self.budget = smaller
                release_memory(error)
                if rest:
                    pending.pop()
                pending.append((cache, row, siblings))
                continue
            yield from passes
            for index, run in enumerate(batch.runs):
                if children := runs.children(run):
                    pending.append((below, index, children))

    def _compute(
        self,
        tree: PrefixTree,
        runs: TreeRuns,
        batch: RunBatch,
        cache: Any,
        row: int,
        is_requested: Any,
    ) -> tuple[list[ForkedPass], Any]:
        """The logits of a batch of runs below one parent, and the cache after it."""
        if cache is not None:
            cache = copied_rows(cache, [row] * len(batch.runs), self.device)
        passes = []
        step = max(1, self.budget.tokens // len(batch.runs))
        for first in range(0, batch.nodes.shape[1], step):
            nodes = batch.nodes[:, first : first + step]
            occupied = batch.occupied[:, first : first + step]
            wanted = is_requested[nodes] & occupied
            columns = np.flatnonzero(wanted.any(0))
            logits, cache = self._forward(tree.tokens[nodes], batch.depth + first, columns, cache)
            rows, places = np.nonzero(wanted[:, columns])
            selected = logits[torch.from_numpy(rows), torch.from_numpy(places)]
            passes.append(
                ForkedPass(nodes[:, columns][rows, places], selected, int(occupied.sum()))
            )
        return passes, cache

    def _forward(self, tokens: Ints, depth: int, columns: Ints, cache: Any) -> tuple[Tensor, Any]:
        """Logits [rows, columns, vocabulary] of tokens [rows, length] after `depth` others."""
        options: dict[str, Any] = {self._cache_name: cache, "use_cache": True}
        if self._takes_positions:
            positions = torch.arange(depth, depth + tokens.shape[1], device=self.device)
            options["position_ids"] = positions.expand(tokens.shape)
        if self.selects_logits:
            # Never empty: some models would return all positions then.
            options["logits_to_keep"] = columns if len(columns) else np.zeros(1, int)
        inputs = torch.from_numpy(tokens.astype(np.int64)).to(self.device)
        output = self.model(input_ids=inputs, **options)
        logits: Tensor = output.logits if self.selects_logits else output.logits[:, columns]
        return logits[:, : len(columns)], getattr(output, self._cache_name)
