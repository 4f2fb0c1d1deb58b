"""Runs a loaded model over the packs of a tree, within a budget that it halves where memory ends.

In: a transformers causal model, a tree, and which nodes are asked for what. Out: log-probabilities
and greedy flags, or the logits and the key/value caches that generation goes on from.
"""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from study.inference.attention.hook import NotPackable, attending
from study.inference.attention.prefill import Path, Prefill
from study.inference.packed_batches import Budget, cut
from study.inference.prefix_tree import Ints, Tree

log = logging.getLogger(__name__)

BLOCK = 64
"Subtrees of up to this many nodes are computed as blocks, side by side."
CPU_MEMORY = 4 * 2**30
"Bytes that one model's evaluation may take on a computer without a GPU."
ROWS_AT_ONCE = 256
"Rows of logits of which the logarithm of the softmax is taken at once."


@dataclass(frozen=True)
class Passed:
    """One forward pass over a pack."""

    start: int
    stop: int
    nodes: Ints
    "The wanted nodes in it,"
    logits: Tensor
    "and the model's logits there [nodes, vocabulary]."
    prefill: Prefill


class Engine:
    """A model, and the budget found for it so far."""

    def __init__(self, model: Any) -> None:
        self.model = model.get_base_model() if hasattr(model, "get_base_model") else model
        parameters = inspect.signature(type(self.model).forward).parameters
        if "logits_to_keep" not in parameters:
            raise NotPackable(f"{type(self.model).__name__} projects every position")
        self._takes_cache = "use_cache" in parameters
        embeddings = self.model.get_input_embeddings().weight
        self.device, self.dtype = embeddings.device, self.model.dtype
        self.vocabulary, width = embeddings.shape
        self.budget = _first_budget(self.device, self.vocabulary, width)
        self.cache_bytes = 0
        "Of the keys and values of one token; known from the first forward pass on."

    def scores(
        self,
        tree: Tree,
        nodes: Ints,
        targets: Ints,
        progress: Callable[[int], object] = lambda _: None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """log P(target | path to node), and whether the target is the likeliest, for every pair."""
        order = np.argsort(nodes, kind="stable")
        logprobs, greedy = np.empty(len(nodes)), np.empty(len(nodes), dtype=np.bool_)
        at = 0
        for passed in self.passes(tree, np.unique(nodes)):
            end = at + int(np.searchsorted(nodes[order[at:]], passed.stop))
            pairs = order[at:end]
            rows = np.searchsorted(passed.nodes, nodes[pairs])
            logprobs[pairs], greedy[pairs] = score_rows(passed.logits, rows, targets[pairs])
            at = end
            progress(passed.stop - passed.start)
        return logprobs, greedy

    @torch.inference_mode()
    def passes(
        self, tree: Tree, wanted: Ints, start: int = 0, path: Path | None = None
    ) -> Iterator[Passed]:
        """Forward passes over all nodes from `start`, to which `path` leads."""
        path = path or Path()
        is_wanted = np.zeros(len(tree.tokens), dtype=np.bool_)
        is_wanted[wanted] = True
        while start < len(tree.tokens):
            pack = cut(tree, start, self.budget, is_wanted)
            try:
                at = slice(pack.start, pack.stop)
                prefill = Prefill(pack, path, tree.depth[at], tree.reach[at])
                nodes = np.flatnonzero(is_wanted[at])
                logits = self.logits(prefill, tree.tokens[at], tree.depth[at], nodes)
                following = prefill.next_path()
                self.cache_bytes = _bytes_per_token(prefill)
            except RuntimeError as error:
                self.halve_or_raise(error)
                continue
            yield Passed(pack.start, pack.stop, nodes + pack.start, logits, prefill)
            start, path = pack.stop, following

    def logits(self, through: Any, tokens: Ints, positions: Ints, rows: Ints) -> Tensor:
        """Logits [rows, vocabulary] of one forward pass whose attention goes through `through`."""
        on = self.device
        more = {"use_cache": False} if self._takes_cache else {}
        with attending(self.model, through):
            logits: Tensor = self.model(
                input_ids=torch.from_numpy(tokens).to(on)[None],
                position_ids=torch.from_numpy(positions).to(on)[None],
                # Said to be whole, lest transformers take the positions for packed sequences.
                attention_mask=torch.ones(1, len(tokens), dtype=torch.long, device=on),
                # No tensor: that would be moved to the first device, and index the last one's.
                # Of no rows at all, some models would give every one.
                logits_to_keep=rows if len(rows) else np.zeros(1, int),
                **more,
            ).logits[0]
        return logits[: len(rows)]

    def halve_or_raise(self, error: RuntimeError) -> None:
        """After running out of memory: half the budget. Any other error, or no half: raised."""
        smaller = self.budget.halved() if ran_out_of_memory(error) else None
        if smaller is None:
            raise error
        log.warning("out of memory with %s; going on with %s", self.budget, smaller)
        self.budget = smaller
        release(error)


def ran_out_of_memory(error: RuntimeError) -> bool:
    """Whether that is what happened, on a GPU or elsewhere."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release(error: RuntimeError) -> None:
    """Gives back what did not fit."""
    error.__traceback__ = None  # it holds the tensors
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def free_memory(device: torch.device) -> int:
    """Bytes that may be used: what a GPU has left, or a fixed part of a computer's memory."""
    if device.type != "cuda":
        return CPU_MEMORY
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + unused)


def _bytes_per_token(prefill: Prefill) -> int:
    each = [x for computed in prefill.computed.values() for x in computed]
    return sum(x.shape[1] * x.shape[3] * x.element_size() for x in each)


def score_rows(
    logits: Tensor, rows: Ints, targets: Ints
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Log-probability of `targets` at `rows` (ascending) of `logits`; whether none is greater."""
    logprobs, greedy = np.empty(len(rows)), np.empty(len(rows), dtype=np.bool_)
    for first in range(0, len(logits), ROWS_AT_ONCE):
        at = slice(*np.searchsorted(rows, (first, first + ROWS_AT_ONCE)).tolist())
        if at.start == at.stop:
            continue
        chunk = logits[first : first + ROWS_AT_ONCE]
        row = torch.from_numpy(rows[at] - first).to(logits.device)
        target = torch.from_numpy(targets[at]).to(logits.device)
        likeliest = chunk.argmax(-1)
        of_target = F.log_softmax(chunk, dim=-1, dtype=torch.float32)[row, target]
        logprobs[at] = of_target.double().cpu().numpy()
        greedy[at] = (likeliest[row] == target).cpu().numpy()
    return logprobs, greedy


def _first_budget(device: torch.device, vocabulary: int, width: int) -> Budget:
    """Where to begin: what keeps a CPU's caches warm, or a share of a GPU's free memory."""
    if device.type != "cuda":
        return Budget(tokens=min(8192, max(512, 2**19 // width)), rows=max(64, 2**24 // vocabulary))
    # Per row the logits, and their float32 copies while they are made comparable.
    rows = free_memory(device) // 8 // (12 * vocabulary)
    return Budget(tokens=16384, rows=int(min(16384, max(64, rows))))
