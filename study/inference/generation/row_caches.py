"""Key/value caches of a batch that is being decoded: one shared prefix, one cache per row.

In: the path cache of the prefix, keys and values of the rows' tails. Out: `RowCaches`, the
attention function of one decoding step. The prefix is stored once, and all rows attend to it
together. Each row has its own keys and values for its tail and its generated tokens, aligned at the
right so that a step writes a single column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from study.inference.attention.hook import AttentionInputs, PositionRule
from study.inference.attention.kernels import apply_sinks, attention, merge_attention
from study.inference.attention.masks import Mask
from study.inference.attention.path_cache import KeysValues, PathCache
from study.inference.attention.windows import first_visible
from study.inference.prefix_tree import Ints


class RowCaches:
    """The attention function of decoding steps, in which every row gets one new token."""

    def __init__(
        self, prefix: PathCache, layers: dict[Any, KeysValues], padding: Ints, max_new_tokens: int
    ) -> None:
        """Caches of rows with different lengths.

        Parameters
        ----------
        prefix
            Keys and values that all rows share.
        layers
            Keys and values of the rows themselves, [rows, heads, length, head_dim], by module.
        padding : [rows]
            Number of columns at the left of each row that hold nothing.
        max_new_tokens
            Number of further columns to allocate.
        """
        self.prefix, self._padding = prefix, padding
        self._columns = next(iter(layers.values()))[0].shape[2]
        self._layers: dict[Any, KeysValues] = {
            module: (F.pad(k, (0, 0, 0, max_new_tokens)), F.pad(v, (0, 0, 0, max_new_tokens)))
            for module, (k, v) in layers.items()
        }
        self._views: dict[tuple[Any, ...], _View] = {}

    @classmethod
    def from_nodes(
        cls,
        prefix: PathCache,
        computed: dict[Any, KeysValues],
        nodes: Sequence[Ints],
        max_new_tokens: int,
    ) -> RowCaches:
        """Rows whose tails are the given nodes of what was computed."""
        longest = max(map(len, nodes))
        index = np.zeros((len(nodes), longest), dtype=np.int64)
        for row, tail in enumerate(nodes):
            index[row, longest - len(tail) :] = tail
        layers = {}
        for module, (k, v) in computed.items():
            flat_index = torch.from_numpy(index.ravel()).to(k.device)
            shape = (k.shape[1], *index.shape)
            layers[module] = (
                k[0].index_select(1, flat_index).reshape(*shape, -1).transpose(0, 1),
                v[0].index_select(1, flat_index).reshape(*shape, -1).transpose(0, 1),
            )
        padding = np.array([longest - len(tail) for tail in nodes], dtype=np.int64)
        return cls(prefix, layers, padding, max_new_tokens)

    def __len__(self) -> int:
        return len(self._padding)

    def positions(self) -> Ints:
        """The position of the next token of each row."""
        return np.asarray(self.prefix.length + self._columns - self._padding, dtype=np.int64)

    def advance(self) -> None:
        """Make the column that the last step wrote part of every row."""
        self._columns += 1
        self._views = {}

    def select(self, rows: Ints) -> None:
        """Remove all rows except these."""
        self._padding = self._padding[rows]
        for module, (k, v) in self._layers.items():
            index = torch.from_numpy(rows).to(k.device)
            self._layers[module] = k.index_select(0, index), v.index_select(0, index)

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        """The output of one layer for the new token of each row, [rows, heads, head_dim]."""
        q, module = inputs.q, inputs.module
        row_k, row_v = self._layers[module]
        row_k[:, :, self._columns] = inputs.k[0].transpose(0, 1)
        row_v[:, :, self._columns] = inputs.v[0].transpose(0, 1)
        view = self._view(inputs)
        keys_values = row_k[:, :, : self._columns + 1], row_v[:, :, : self._columns + 1]
        row_q = q[0].transpose(0, 1).unsqueeze(2)
        out, lse = attention(row_q, *keys_values, inputs.transform, mask=view.row_mask)
        dtype = torch.promote_types(q.dtype, torch.float32)
        out, lse = out.squeeze(2).to(dtype, copy=True), lse.squeeze(2)
        if view.prefix_start < self.prefix.length:
            k, v = (x[:, :, view.prefix_start :] for x in self.prefix.layers[module])
            other, other_lse = attention(q, k, v, inputs.transform, mask=view.prefix_mask)
            merge_attention(out, lse, other[0].transpose(0, 1), other_lse[0].transpose(0, 1))
        apply_sinks(out, lse, inputs.sinks)
        return out.to(q.dtype)

    def _view(self, inputs: AttentionInputs) -> _View:
        """What the new token of each row may attend to, in layers like this one."""
        key = (inputs.rule, inputs.q.dtype, inputs.q.device)
        if key not in self._views:
            self._views[key] = self._new_view(*key)
        return self._views[key]

    def _new_view(
        self, rule: PositionRule | None, dtype: torch.dtype, device: torch.device
    ) -> _View:
        positions = self.positions()
        lowest = np.zeros_like(positions) if rule is None else first_visible(rule, positions)
        # The column of the first visible position of each row, after its padding.
        first_columns = self._padding + np.maximum(0, lowest - self.prefix.length)
        prefix_start = min(int(lowest.min()), self.prefix.length)
        row_mask = prefix_mask = None
        if first_columns.any():
            row_allowed = torch.from_numpy(np.arange(self._columns + 1) >= first_columns[:, None])
            row_mask = Mask.from_allowed(row_allowed[:, None, None], dtype, device)
        if lowest.max() > prefix_start:
            columns = np.arange(prefix_start, self.prefix.length)
            prefix_allowed = torch.from_numpy(columns >= lowest[:, None])
            prefix_mask = Mask.from_allowed(prefix_allowed[None, None], dtype, device)
        return _View(row_mask, prefix_start, prefix_mask)


@dataclass(frozen=True)
class _View:
    """What the new tokens may attend to, by one position rule."""

    row_mask: Mask | None
    "Over the columns of each row [rows, 1, 1, columns]; None for all."
    prefix_start: int
    "The first position of the prefix that any row sees."
    prefix_mask: Mask | None
    "Over the prefix from there on [1, 1, rows, length]; None for all."
