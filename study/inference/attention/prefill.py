"""Attention within one pack, and the key/value cache of the path that leads to it.

In: a `Pack` and the path's keys and values. Out: every layer's attention output for the pack's
nodes, as if each node stood at the end of its own sequence; and the path to the next pack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from study.inference.attention.hook import Layer, Rule
from study.inference.attention.kernels import attention, merge
from study.inference.packed_batches import Pack
from study.inference.prefix_tree import Ints

KeysValues = tuple[Tensor, Tensor]
"Both [1, heads, length, head_dim]."


@dataclass(frozen=True)
class Path:
    """Keys and values of a node's ancestors, by layer."""

    length: int = 0
    layers: dict[Any, KeysValues] = field(default_factory=dict)


def extended(path: Path, kept: int, computed: dict[Any, KeysValues], nodes: Ints) -> Path:
    """The first `kept` of a path, and then `nodes` of what has been computed."""
    layers = {}
    for layer, (k, v) in computed.items():
        index = torch.from_numpy(nodes).to(k.device)
        new_k, new_v = k.index_select(2, index), v.index_select(2, index)
        if kept:
            old_k, old_v = path.layers[layer]
            new_k = torch.cat([old_k[:, :, :kept], new_k], 2)
            new_v = torch.cat([old_v[:, :, :kept], new_v], 2)
        layers[layer] = new_k, new_v
    return Path(kept + len(nodes), layers)


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a pack on one device, padded to one length."""

    index: Tensor
    "[number * length]: where each slot's node is; padding takes the block's first."
    real: Tensor
    "The slots that are no padding, flat."
    nodes: Tensor
    "Their nodes."
    allowed: Tensor
    "[number, 1, length, length]"
    depth: Tensor
    "[number, length]"


class Prefill:
    """Attends for one pack (an `Attending`), and collects its keys and values."""

    def __init__(self, pack: Pack, path: Path, depth: Ints, reach: Ints) -> None:
        """`depth` and `reach` are those of the pack's nodes."""
        self.pack, self.path = pack, path
        self.computed: dict[Any, KeysValues] = {}
        self._depth, self._reach = torch.from_numpy(depth), torch.from_numpy(reach - pack.start)
        self._blocks: dict[torch.device, _Blocks] = {}
        self._seen: dict[tuple[Any, ...], Any] = {}

    def __call__(self, layer: Layer) -> Tensor:
        """The layer's output [length, heads, head_dim]."""
        self.computed[layer.module] = layer.k, layer.v
        q, k, v = layer.q, layer.k, layer.v
        # Merging in half precision would round once more for every set of keys.
        precise = torch.promote_types(q.dtype, torch.float32)
        shape = q.shape[2], q.shape[1]
        out = torch.empty(*shape, v.shape[3], dtype=precise, device=q.device)
        lse = torch.empty(shape, dtype=torch.float32, device=q.device)
        for start, stop, _ in self.pack.chains:
            at = slice(start, stop)
            seen = self._within_chain(layer, start, stop)
            own = q[:, :, at], k[:, :, at], v[:, :, at]
            more, more_lse = attention(*own, layer.logits, allowed=seen, causal=seen is None)
            out[at], lse[at] = more[0].transpose(0, 1), more_lse[0].transpose(0, 1)
        if len(self.pack.blocks):
            self._attend_blocks(out, lse, layer)
        for start, stop, reach in self.pack.chains:
            if stop < reach:
                self._add(out, lse, layer, (stop, reach), (start, stop))
        for start, stop, share in self.pack.path_groups:
            self._add(out, lse, layer, (start, stop), (-share, 0))
        return out.to(q.dtype)

    def next_path(self) -> Path:
        """The path to the node that follows the pack."""
        kept, added = self.pack.path_kept, self.pack.path_added
        if kept == self.path.length and not len(added):
            return self.path
        return extended(self.path, kept, self.computed, added)

    def _within_chain(self, layer: Layer, start: int, stop: int) -> Tensor | None:
        """What a chain's nodes may see of it; None if all that came before."""
        if layer.rule is None:
            return None
        at = (id(layer.rule), start, stop)
        if at not in self._seen:
            depth = self._depth[start:stop]
            before = depth.unsqueeze(-1) >= depth
            allowed = layer.rule.allowed(depth, depth) & before
            self._seen[at] = None if torch.equal(allowed, before) else allowed[None, None]
        seen: Tensor | None = self._seen[at]
        return None if seen is None else seen.to(layer.q.device)

    def _add(
        self,
        out: Tensor,
        lse: Tensor,
        layer: Layer,
        queries: tuple[int, int],
        keys: tuple[int, int],
    ) -> None:
        """Takes in what `queries` see of `keys`: nodes of the pack or, if below 0, of the path."""
        (first, last), allowed = self._ancestors(layer.rule, queries, keys)
        if first == last:
            return
        k, v = self.path.layers[layer.module] if keys[0] < 0 else (layer.k, layer.v)
        at, span = slice(*queries), slice(first, last)
        more, more_lse = attention(
            layer.q[:, :, at],
            k[:, :, span],
            v[:, :, span],
            layer.logits,
            allowed=None if allowed is None else allowed.to(layer.q.device),
        )
        merge(out[at], lse[at], more[0].transpose(0, 1), more_lse[0].transpose(0, 1))

    def _ancestors(
        self, rule: Rule | None, queries: tuple[int, int], keys: tuple[int, int]
    ) -> tuple[tuple[int, int], Tensor | None]:
        """Of a run of common ancestors, the part that any query may see, and who sees what."""
        on_path = keys[0] < 0
        span = (0, -keys[0]) if on_path else keys
        if rule is None:
            return span, None
        at = (id(rule), queries, keys)
        if at not in self._seen:
            depths = torch.arange(*span) if on_path else self._depth[slice(*span)]
            allowed = rule.allowed(self._depth[slice(*queries)], depths)
            if allowed.all():
                self._seen[at] = span, None
            else:
                some = torch.nonzero(allowed.any(0)).flatten()
                low, high = (int(some[0]), int(some[-1]) + 1) if len(some) else (0, 0)
                part = allowed[None, None, :, low:high]
                self._seen[at] = (span[0] + low, span[0] + high), part
        found: tuple[tuple[int, int], Tensor | None] = self._seen[at]
        return found

    def _attend_blocks(self, out: Tensor, lse: Tensor, layer: Layer) -> None:
        blocks = self._blocks_on(layer.q.device)
        number, length = blocks.depth.shape

        def gathered(x: Tensor) -> Tensor:
            rows = x[0].transpose(0, 1).index_select(0, blocks.index)
            return rows.reshape(number, length, *rows.shape[1:]).transpose(1, 2)

        own = gathered(layer.q), gathered(layer.k), gathered(layer.v)
        seen = self._within_blocks(blocks, layer.rule)
        more, more_lse = attention(*own, layer.logits, allowed=seen)
        rows = more.transpose(1, 2).reshape(number * length, *out.shape[1:])
        row_lse = more_lse.transpose(1, 2).reshape(number * length, -1)
        out[blocks.nodes] = rows[blocks.real].to(out.dtype)
        lse[blocks.nodes] = row_lse[blocks.real]

    def _within_blocks(self, blocks: _Blocks, rule: Rule | None) -> Tensor:
        if rule is None:
            return blocks.allowed
        at = (id(rule), blocks.depth.device)
        if at not in self._seen:
            by_rule = rule.allowed(blocks.depth, blocks.depth).unsqueeze(1)
            own = torch.eye(blocks.depth.shape[1], dtype=torch.bool, device=blocks.depth.device)
            self._seen[at] = blocks.allowed & (by_rule | own)
        seen: Tensor = self._seen[at]
        return seen

    def _blocks_on(self, device: torch.device) -> _Blocks:
        if device not in self._blocks:
            nodes = torch.from_numpy(self.pack.blocks)
            real = nodes >= 0
            index = torch.where(real, nodes, nodes[:, :1])
            reach = self._reach[index]
            i, j = index.unsqueeze(2), index.unsqueeze(1)
            above = (j <= i) & (i < reach.unsqueeze(1)) & real.unsqueeze(1)
            # Padding sees itself, so that no row is empty.
            allowed = torch.where(
                real.unsqueeze(2), above, torch.eye(index.shape[1], dtype=torch.bool)
            )
            self._blocks[device] = _Blocks(
                index.flatten().to(device),
                torch.nonzero(real.flatten()).flatten().to(device),
                nodes[real].to(device),
                allowed.unsqueeze(1).to(device),
                self._depth[index].to(device),
            )
        return self._blocks[device]
