"""Runs a loaded model over the packed batches of a tree, within a budget of memory.

In: a transformers causal model, a prefix tree, and the nodes whose logits are needed. Out:
`ForwardPass`: logits, with the keys and values from which generation continues. When memory is
exhausted, the budget is halved and the batch is repeated. Nothing waits for a GPU within a batch.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from study.inference.attention.hook import (
    AttentionFunction,
    UnsupportedModelError,
    replaced_attention,
)
from study.inference.attention.path_cache import KeysValues, PathCache
from study.inference.attention.prefill import PrefillAttention
from study.inference.memory import (
    initial_budget,
    is_out_of_memory,
    moved_to,
    release_memory,
)
from study.inference.prefix_tree import Ints, PrefixTree
from study.inference.prefix_tree.packed_batches import BatchCutter
from study.inference.vocabulary_head import Logits, has_hooks, plain_head, skipped_head

log = logging.getLogger(__name__)

BLOCK_SIZE = 64
"Subtrees of up to this many nodes are computed as blocks, side by side."


@dataclass(frozen=True)
class ForwardPass:
    """The result of one forward pass, over the nodes `start` to `stop` of a tree."""

    start: int
    stop: int
    nodes: Ints
    "The requested nodes among them, ascending."
    logits: Logits
    "At the requested nodes."
    computed: dict[Any, KeysValues]
    "Keys and values of all nodes `start` to `stop`, by attention module, if they are kept."


class Engine:
    """A model, and the budget within which its forward passes stay."""

    selects_logits = True
    "Whether the model can compute logits at selected positions only."

    def __init__(self, model: Any) -> None:
        """UnsupportedModelError if the model cannot return the logits of selected positions."""
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        parameters = inspect.signature(type(self.model).forward).parameters
        if "logits_to_keep" not in parameters:
            name = type(self.model).__name__
            raise UnsupportedModelError(f"{name} computes logits at every position")
        self._options = {"use_cache": False} if "use_cache" in parameters else {}
        embeddings = self.model.get_input_embeddings().weight
        self.device, self.dtype = embeddings.device, self.model.dtype
        self.vocabulary, width = embeddings.shape
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        # Accelerate moves tensors that a model is called with to its first device.
        self._is_dispatched = len(set(getattr(self.model, "hf_device_map", {}).values())) > 1
        self.budget = initial_budget(self.device, self.vocabulary, width)
        self.cache_bytes = 0
        "Size of the keys and values of one token; 0 before the first forward pass."

    @cached_property
    def _head(self) -> nn.Linear | None:
        """The model's output layer, if rows can be projected outside the model."""
        return plain_head(self.model, self.device, self._options)

    @torch.inference_mode()
    def forward_passes(
        self,
        tree: PrefixTree,
        requested: Ints,
        path: PathCache | None = None,
        *,
        keeps_computed: bool = False,
    ) -> Iterator[ForwardPass]:
        """Forward passes over all nodes of a tree, in depth-first order.

        Parameters
        ----------
        tree
            The token sequences.
        requested
            Nodes whose logits are needed.
        path
            Keys and values of a common prefix of all sequences that is not part of the tree.
        keeps_computed
            Whether each result has the keys and values of all its nodes.
        """
        path = path or PathCache()
        is_requested = np.zeros(len(tree.tokens), dtype=np.bool_)
        is_requested[requested] = True
        # Only logits that are computed at once limit the rows of a batch.
        is_projected = is_requested if self._head is None else np.zeros_like(is_requested)
        cutter = BatchCutter(tree, is_projected)
        start = 0
        while start < len(tree.tokens):
            batch = cutter.next_batch(start, self.budget)
            try:
                span = slice(batch.start, batch.stop)
                prefill = PrefillAttention(
                    batch,
                    path,
                    tree.depth[span],
                    tree.reach[span],
                    keeps_computed=keeps_computed,
                )
                nodes = np.flatnonzero(is_requested[span])
                logits = self.logits(prefill, tree.tokens[span], tree.depth[span], nodes)
                next_path = prefill.next_path()
                self.cache_bytes = prefill.cache_bytes
            except RuntimeError as error:
                self.halve_budget(error)
                continue
            yield ForwardPass(
                batch.start, batch.stop, nodes + batch.start, logits, prefill.computed
            )
            start, path = batch.stop, next_path

    def logits(
        self, attention: AttentionFunction, tokens: Ints, positions: Ints, rows: Ints
    ) -> Logits:
        """Logits of one forward pass over `tokens` at `positions`.

        `attention` computes the attention of every layer; `rows` are indices into `tokens`.
        """
        device = self.device
        # Never empty: some models would return all rows then.
        kept = rows if len(rows) else np.zeros(1, dtype=np.int64)
        head = self._head if self._head is None or not has_hooks(self._head) else None
        skipped = nullcontext() if head is None else skipped_head(head)
        with replaced_attention(self.model, attention), skipped:
            outputs: Tensor = self.model(
                input_ids=moved_to(device, tokens)[None],
                position_ids=moved_to(device, positions)[None],
                # A full mask: without one, transformers would infer packed sequences from the
                # positions.
                attention_mask=torch.ones(1, len(tokens), dtype=torch.long, device=device),
                # It indexes hidden states on the last device; an array is not moved to the first.
                logits_to_keep=kept if self._is_dispatched else moved_to(device, kept),
                **self._options,
            ).logits[0]
        return Logits(outputs[: len(rows)], head)

    def halve_budget(self, error: RuntimeError) -> None:
        """Halve the budget after running out of memory.

        Raises `error` if it is another error, or if the budget cannot be halved.
        """
        smaller = self.budget.halved() if is_out_of_memory(error) else None
        if smaller is None:
            raise error
        log.warning("out of memory with %s; retrying with %s", self.budget, smaller)
        self.budget = smaller
        release_memory(error)
