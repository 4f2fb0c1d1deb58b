"""Greedy generation of a batch whose prompts begin alike: one prefix, many tails.

In: an engine, the prefix's path, the prompts' tails. Out: the tokens generated for each. The prefix
is held once and attended to by all rows together; each row has keys and values of its own for its
tail and what it has generated, aligned at the right so that a step writes one column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from study.inference.attention.hook import Layer, Rule
from study.inference.attention.kernels import attention, merge
from study.inference.attention.prefill import KeysValues, Path, extended
from study.inference.engine import BLOCK, Engine
from study.inference.prefix_tree import Ints, prefix_tree

WORTH_LEAVING = 8
"When one row in so many has stopped, those rows leave the batch."


class Rows:
    """The rows of a batch and their caches; attends for one step of generation (`Attending`)."""

    def __init__(
        self, prefix: Path, layers: dict[Any, KeysValues], padding: Ints, room: int
    ) -> None:
        """`layers`: the rows' own keys and values [rows, heads, length, head_dim], of which the
        first `padding` [rows] are none; there will be `room` for as many tokens more."""
        self.prefix, self._padding = prefix, padding
        self._used = next(iter(layers.values()))[0].shape[2]
        self._own: dict[Any, KeysValues] = {
            layer: (F.pad(k, (0, 0, 0, room)), F.pad(v, (0, 0, 0, room)))
            for layer, (k, v) in layers.items()
        }
        self._seen: dict[tuple[Any, ...], Any] = {}

    @classmethod
    def of_tails(
        cls,
        prefix: Path,
        computed: dict[Any, KeysValues],
        nodes: Sequence[Ints],
        room: int,
    ) -> Rows:
        """Rows of prompts whose tails are these nodes of what has been computed."""
        longest = max(map(len, nodes))
        index = np.zeros((len(nodes), longest), dtype=np.int64)
        for row, own in enumerate(nodes):
            index[row, longest - len(own) :] = own
        layers = {}
        for layer, (k, v) in computed.items():
            at = torch.from_numpy(index.ravel()).to(k.device)
            shape = (k.shape[1], *index.shape)
            layers[layer] = (
                k[0].index_select(1, at).reshape(*shape, -1).transpose(0, 1),
                v[0].index_select(1, at).reshape(*shape, -1).transpose(0, 1),
            )
        padding = np.array([longest - len(own) for own in nodes], dtype=np.int64)
        return cls(prefix, layers, padding, room)

    def __len__(self) -> int:
        return len(self._padding)

    def positions(self) -> Ints:
        """The position of each row's next token."""
        return np.asarray(self.prefix.length + self._used - self._padding, dtype=np.int64)

    def step(self, engine: Engine, tokens: Ints) -> Tensor:
        """Appends a token to every row; logits [rows, vocabulary] of what follows it."""
        logits = engine.logits(self, tokens, self.positions(), np.arange(len(self)))
        self._used += 1
        self._seen = {}
        return logits

    def keep(self, rows: Ints) -> None:
        """Lets all rows but these leave."""
        self._padding = self._padding[rows]
        for layer, (k, v) in self._own.items():
            at = torch.from_numpy(rows).to(k.device)
            self._own[layer] = k.index_select(0, at), v.index_select(0, at)

    def __call__(self, layer: Layer) -> Tensor:
        """The layer's output [rows, heads, head_dim] for each row's new token."""
        q, module = layer.q, layer.module
        own_k, own_v = self._own[module]
        own_k[:, :, self._used] = layer.k[0].transpose(0, 1)
        own_v[:, :, self._used] = layer.v[0].transpose(0, 1)
        of_own, of_prefix = self._allowed(layer.rule, q.device)
        own = own_k[:, :, : self._used + 1], own_v[:, :, : self._used + 1]
        per_row = q[0].transpose(0, 1).unsqueeze(2)
        out, lse = attention(per_row, *own, layer.logits, allowed=of_own)
        precise = torch.promote_types(q.dtype, torch.float32)
        out, lse = out.squeeze(2).to(precise, copy=True), lse.squeeze(2)
        if self.prefix.length:
            common = self.prefix.layers[module]
            more, more_lse = attention(q, *common, layer.logits, allowed=of_prefix)
            merge(out, lse, more[0].transpose(0, 1), more_lse[0].transpose(0, 1))
        return out.to(q.dtype)

    def _allowed(
        self, rule: Rule | None, device: torch.device
    ) -> tuple[Tensor | None, Tensor | None]:
        """Which of its own columns [rows, 1, 1, columns] and of the prefix [1, 1, rows, length]
        each row's new token may see; None for all."""
        at = (id(rule), device)
        if at not in self._seen:
            columns = torch.arange(self._used + 1)
            padding = torch.from_numpy(self._padding).unsqueeze(1)
            own, prefix = columns >= padding, torch.ones(1, 1, dtype=torch.bool)
            if rule is not None:
                positions = torch.from_numpy(self.positions()).unsqueeze(1)
                depths = self.prefix.length + columns - padding
                own &= rule.allowed(positions, depths).squeeze(1)
                before = torch.arange(self.prefix.length).expand(len(self), -1)
                prefix = rule.allowed(positions, before).squeeze(1)
            self._seen[at] = (
                None if own.all() else own[:, None, None].to(device),
                None if prefix.all() else prefix[None, None].to(device),
            )
        found: tuple[Tensor | None, Tensor | None] = self._seen[at]
        return found


def prefilled(engine: Engine, tokens: Sequence[int]) -> Path:
    """The keys and values of a prefix."""
    path = Path()
    tree = prefix_tree([tokens], block=BLOCK) if tokens else None
    for passed in engine.passes(tree, np.empty(0, dtype=np.int64)) if tree else ():
        nodes = np.arange(passed.stop - passed.start)
        path = extended(path, path.length, passed.prefill.computed, nodes)
    return path


def begun(
    engine: Engine, prefix: Path, tails: Sequence[Sequence[int]], room: int
) -> tuple[Rows, Tensor]:
    """Rows of the tails, each of one token at least, and the logits [rows, vocabulary] of what
    follows them."""
    tree = prefix_tree(tails, block=BLOCK, after=prefix.length)
    nodes = [tree.path(row, 0, len(tail)) for row, tail in enumerate(tails)]
    last = np.array([own[-1] for own in nodes])
    pieces: dict[Any, list[KeysValues]] = {}
    logits = []
    for passed in engine.passes(tree, np.unique(last), path=prefix):
        logits.append(passed.logits)
        for layer, computed in passed.prefill.computed.items():
            pieces.setdefault(layer, []).append(computed)
    whole = {
        layer: (torch.cat([k for k, _ in parts], 2), torch.cat([v for _, v in parts], 2))
        for layer, parts in pieces.items()
    }
    at = np.searchsorted(np.unique(last), last)
    return Rows.of_tails(prefix, whole, nodes, room), torch.cat(logits)[at]


@torch.inference_mode()
def generate(
    engine: Engine,
    prefix: Path,
    tails: Sequence[Sequence[int]],
    room: int,
    choose: Callable[[Tensor, Sequence[int], Sequence[Sequence[int]]], Ints],
    stopped: Callable[[Sequence[int]], bool],
) -> list[list[int]]:
    """Up to `room` tokens for every row.

    `choose(logits, rows, generated)` picks the next token of each row from logits
    [rows, vocabulary]; `stopped` says whether the tokens generated so far end a row.
    """
    generated: list[list[int]] = [[] for _ in tails]
    done = np.zeros(len(tails), dtype=np.bool_)
    rows, logits = begun(engine, prefix, tails, room)
    there = np.arange(len(tails))
    while True:
        tokens = choose(logits, there.tolist(), generated)
        for row, token in zip(there.tolist(), tokens.tolist(), strict=True):
            if not done[row]:
                generated[row].append(token)
                done[row] = len(generated[row]) == room or stopped(generated[row])
        live = np.flatnonzero(~done[there])
        if not len(live):
            return generated
        if (len(there) - len(live)) * WORTH_LEAVING >= len(there):
            rows.keep(live)
            there, tokens = there[live], tokens[live]
        logits = rows.step(engine, tokens)
