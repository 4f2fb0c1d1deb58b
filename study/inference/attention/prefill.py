"""Attention within one packed batch, over its own nodes and over the path that leads to it.

In: a `PackedBatch`, and the `PathCache` of the ancestors outside it. Out: for every layer, the
attention output of the batch's nodes, as if each node were the last token of its own sequence; and
the path cache for the next batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from study.inference.attention.hook import AttentionInputs, PositionRule
from study.inference.attention.kernels import apply_sinks, attention, merge_attention
from study.inference.attention.pack_plan import AncestorSpan, PackPlan, PackPlanner
from study.inference.attention.path_cache import KeysValues, PathCache, bytes_per_token
from study.inference.prefix_tree import Ints
from study.inference.prefix_tree.packed_batches import PackedBatch


class PrefillAttention:
    """The attention function of one packed batch; keeps the keys and values that others need."""

    def __init__(
        self,
        batch: PackedBatch,
        path: PathCache,
        depth: Ints,
        reach: Ints,
        *,
        keeps_computed: bool = False,
    ) -> None:
        """`depth` and `reach` are the tree's, for the nodes of the batch.

        Keys and values are kept of the nodes on the path to the next batch; of all nodes only if
        `keeps_computed`.
        """
        self.batch, self.path = batch, path
        self.computed: dict[Any, KeysValues] = {}
        "Keys and values of the batch's nodes, by attention module, if they are kept."
        self.cache_bytes = 0
        "Size of the keys and values of one token, in the layers so far."
        self._keeps_computed = keeps_computed
        self._next_layers: dict[Any, KeysValues] = {}
        self._planner = PackPlanner(batch, depth, reach - batch.start)
        # By the rule itself: the id of a rule that is gone may become that of another.
        self._plans: dict[tuple[PositionRule | None, torch.dtype, torch.device], PackPlan] = {}
        self._path_nodes: dict[torch.device, Tensor] = {}

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        """The output of one layer, [length, heads, head_dim].

        Every node first attends within its chain or block. Ancestors further up are then merged
        in: the chains of the batch below which the node lies, and the path.
        """
        plan = self._plan(inputs)
        q, k, v = (x[0].transpose(0, 1) for x in (inputs.q, inputs.k, inputs.v))
        # At least float32: every merge in half precision would add a rounding error.
        dtype = torch.promote_types(q.dtype, torch.float32)
        out = torch.empty(*q.shape[:2], v.shape[2], dtype=dtype, device=q.device)
        lse = torch.empty(q.shape[:2], dtype=torch.float32, device=q.device)
        if plan.chains is not None:
            plan.chains.write(plan.chains.attention(q, k, v, inputs.transform), out, lse)
        if plan.blocks is not None:
            blocks = plan.blocks
            qkv = blocks.gather(q), blocks.gather(k), blocks.gather(v)
            block_out, block_lse = attention(*qkv, inputs.transform, mask=blocks.mask)
            blocks.scatter(block_out, out)
            blocks.scatter(block_lse, lse)
        for segments in plan.descendants:
            segments.merge(segments.attention(q, k, v, inputs.transform), out, lse)
        for span in plan.spans:
            self._merge_span(span, inputs, out, lse)
        self._keep(inputs)
        apply_sinks(out, lse, inputs.sinks)
        return out.to(q.dtype)

    def next_path(self) -> PathCache:
        """The cache of the path to the node after the batch."""
        if self._is_path_unchanged:
            return self.path
        return PathCache(
            self.batch.retained_path + len(self.batch.new_path_nodes), self._next_layers
        )

    @property
    def _is_path_unchanged(self) -> bool:
        is_retained = self.batch.retained_path == self.path.length
        return is_retained and not len(self.batch.new_path_nodes)

    def _plan(self, inputs: AttentionInputs) -> PackPlan:
        key = (inputs.rule, inputs.q.dtype, inputs.q.device)
        if key not in self._plans:
            self._plans[key] = self._planner.plan(*key)
        return self._plans[key]

    def _merge_span(
        self, span: AncestorSpan, inputs: AttentionInputs, out: Tensor, lse: Tensor
    ) -> None:
        k, v = self.path.layers[inputs.module] if span.on_path else (inputs.k, inputs.v)
        queries, keys = slice(*span.queries), slice(*span.keys)
        other, other_lse = attention(
            inputs.q[:, :, queries],
            k[:, :, keys],
            v[:, :, keys],
            inputs.transform,
            mask=span.mask,
        )
        merge_attention(
            out[queries], lse[queries], other[0].transpose(0, 1), other_lse[0].transpose(0, 1)
        )

    def _keep(self, inputs: AttentionInputs) -> None:
        """Keep what the next batch needs; the rest is freed with the layer."""
        k, v = inputs.k, inputs.v
        self.cache_bytes += bytes_per_token(k, v)
        if self._keeps_computed:
            self.computed[inputs.module] = k, v
        if self._is_path_unchanged:
            return
        if k.device not in self._path_nodes:
            self._path_nodes[k.device] = torch.from_numpy(self.batch.new_path_nodes).to(k.device)
        nodes = self._path_nodes[k.device]
        self._next_layers[inputs.module] = self.path.extended(
            inputs.module,
            self.batch.retained_path,
            k.index_select(2, nodes),
            v.index_select(2, nodes),
        )
