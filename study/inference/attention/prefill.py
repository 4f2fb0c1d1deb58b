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
from study.inference.attention.kernels import attention, merge_attention
from study.inference.attention.padded_blocks import PaddedBlocks
from study.inference.attention.path_cache import KeysValues, PathCache, extended_path
from study.inference.packed_batches import PackedBatch
from study.inference.prefix_tree import Ints

Span = tuple[int, int]
"First node and end (exclusive)."


class PrefillAttention:
    """The attention function of one packed batch; collects the keys and values of its nodes."""

    def __init__(self, batch: PackedBatch, path: PathCache, depth: Ints, reach: Ints) -> None:
        """`depth` and `reach` are the tree's, for the nodes of the batch."""
        self.batch, self.path = batch, path
        self.computed: dict[Any, KeysValues] = {}
        "Keys and values of the batch's nodes, by attention module."
        self._depth, self._reach = torch.from_numpy(depth), torch.from_numpy(reach - batch.start)
        self._blocks: dict[torch.device, PaddedBlocks] = {}
        # Masks are the same in every layer with the same rule.
        self._masks: dict[tuple[Any, ...], Any] = {}

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        """The output of one layer, [length, heads, head_dim].

        Every node first attends within its chain or block. Ancestors further up are then merged
        in: the chains of the batch below which the node lies, and the path.
        """
        self.computed[inputs.module] = inputs.k, inputs.v
        q, k, v = inputs.q, inputs.k, inputs.v
        # At least float32: every merge in half precision would add a rounding error.
        dtype = torch.promote_types(q.dtype, torch.float32)
        shape = q.shape[2], q.shape[1]
        out = torch.empty(*shape, v.shape[3], dtype=dtype, device=q.device)
        lse = torch.empty(shape, dtype=torch.float32, device=q.device)
        for start, stop, _ in self.batch.chains:
            nodes = slice(start, stop)
            allowed = self._chain_mask(inputs, start, stop)
            qkv = q[:, :, nodes], k[:, :, nodes], v[:, :, nodes]
            chain_out, chain_lse = attention(
                *qkv, inputs.transform, allowed=allowed, causal=allowed is None
            )
            out[nodes], lse[nodes] = chain_out[0].transpose(0, 1), chain_lse[0].transpose(0, 1)
        if len(self.batch.blocks):
            self._attend_within_blocks(out, lse, inputs)
        for start, stop, reach in self.batch.chains:
            if stop < reach:
                self._merge_ancestors(out, lse, inputs, (stop, reach), (start, stop))
        for start, stop, length in self.batch.path_groups:
            self._merge_ancestors(out, lse, inputs, (start, stop), (0, length), on_path=True)
        return out.to(q.dtype)

    def next_path(self) -> PathCache:
        """The cache of the path to the node after the batch."""
        retained, new_nodes = self.batch.retained_path, self.batch.new_path_nodes
        if retained == self.path.length and not len(new_nodes):
            return self.path
        return extended_path(self.path, retained, self.computed, new_nodes)

    def _chain_mask(self, inputs: AttentionInputs, start: int, stop: int) -> Tensor | None:
        """The mask within a chain; None if it is causal."""
        if inputs.rule is None:
            return None
        key = (id(inputs.rule), start, stop)
        if key not in self._masks:
            depth = self._depth[start:stop]
            causal = depth.unsqueeze(-1) >= depth
            allowed = inputs.rule.allowed(depth, depth) & causal
            self._masks[key] = None if torch.equal(allowed, causal) else allowed[None, None]
        mask: Tensor | None = self._masks[key]
        return None if mask is None else mask.to(inputs.q.device)

    def _attend_within_blocks(self, out: Tensor, lse: Tensor, inputs: AttentionInputs) -> None:
        device = inputs.q.device
        if device not in self._blocks:
            self._blocks[device] = PaddedBlocks.from_nodes(
                self.batch.blocks, self._depth, self._reach, device
            )
        blocks = self._blocks[device]
        qkv = blocks.gather(inputs.q), blocks.gather(inputs.k), blocks.gather(inputs.v)
        allowed = self._block_mask(blocks, inputs.rule)
        block_out, block_lse = attention(*qkv, inputs.transform, allowed=allowed)
        blocks.scatter(block_out, out)
        blocks.scatter(block_lse, lse)

    def _block_mask(self, blocks: PaddedBlocks, rule: PositionRule | None) -> Tensor:
        if rule is None:
            return blocks.allowed
        key = (id(rule), blocks.depth.device)
        if key not in self._masks:
            self._masks[key] = blocks.allowed_by(rule)
        mask: Tensor = self._masks[key]
        return mask

    def _merge_ancestors(
        self,
        out: Tensor,
        lse: Tensor,
        inputs: AttentionInputs,
        queries: Span,
        keys: Span,
        *,
        on_path: bool = False,
    ) -> None:
        """Merge the attention of `queries` over `keys`, which are ancestors of all of them.

        `keys` are nodes of the batch or, if `on_path`, of the path.
        """
        (first, last), allowed = self._visible_keys(inputs.rule, queries, keys, on_path)
        if first == last:
            return
        k, v = self.path.layers[inputs.module] if on_path else (inputs.k, inputs.v)
        query_nodes, key_nodes = slice(*queries), slice(first, last)
        other, other_lse = attention(
            inputs.q[:, :, query_nodes],
            k[:, :, key_nodes],
            v[:, :, key_nodes],
            inputs.transform,
            allowed=None if allowed is None else allowed.to(inputs.q.device),
        )
        merge_attention(
            out[query_nodes],
            lse[query_nodes],
            other[0].transpose(0, 1),
            other_lse[0].transpose(0, 1),
        )

    def _visible_keys(
        self, rule: PositionRule | None, queries: Span, keys: Span, on_path: bool
    ) -> tuple[Span, Tensor | None]:
        """The smallest span of `keys` that any query may attend to, and the mask over it.

        The mask [1, 1, queries, keys] is None if all queries may attend to all keys.
        """
        if rule is None:
            return keys, None
        cache_key = (id(rule), queries, keys, on_path)
        if cache_key not in self._masks:
            depths = torch.arange(*keys) if on_path else self._depth[slice(*keys)]
            allowed = rule.allowed(self._depth[slice(*queries)], depths)
            if allowed.all():
                self._masks[cache_key] = keys, None
            else:
                visible = torch.nonzero(allowed.any(0)).flatten()
                low, high = (int(visible[0]), int(visible[-1]) + 1) if len(visible) else (0, 0)
                mask = allowed[None, None, :, low:high]
                self._masks[cache_key] = (keys[0] + low, keys[0] + high), mask
        result: tuple[Span, Tensor | None] = self._masks[cache_key]
        return result
