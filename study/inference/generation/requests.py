"""Generation requests: which can be batched, how they are grouped, and when a row ends.

In: prompts in tokens, lm-eval's generation arguments, the model's own generation config. Out: the
tokens generated, as transformers' greedy search would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.prefill import Path
from study.inference.engine import Engine, free_memory
from study.inference.generation.decoding import generate, prefilled
from study.inference.prefix_tree import Ints, shared_length

OF_SAMPLING = {"do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff",
               "eta_cutoff"}  # fmt: skip
"Arguments without effect on greedy search."
HARMLESS = OF_SAMPLING | {
    "bos_token_id", "eos_token_id", "pad_token_id", "max_length", "repetition_penalty",
    "transformers_version", "use_cache", "_from_model_config", "output_attentions",
    "output_hidden_states", "return_dict_in_generate", "cache_implementation",
}  # fmt: skip
"Entries of a generation config that greedy search ignores, or that are heeded here."
OWN_PREFIX = 8
"Rows after which a group is closed rather than let its common prefix shrink to less than half."


def unlike_greedy(arguments: dict[str, Any], config: Any) -> str:
    """What in lm-eval's arguments or the model's generation config asks for more than greedy
    search; empty if nothing."""
    if arguments.get("do_sample") or arguments.get("temperature"):
        return "sampling is asked for"
    if more := sorted(arguments.keys() - OF_SAMPLING):
        return f"generation argument {', '.join(more)}"
    if more := sorted(config.to_diff_dict().keys() - HARMLESS):
        return f"the model's generation config sets {', '.join(more)}"
    return ""


def stops_at(
    until: Sequence[str], said: Callable[[Sequence[int]], str]
) -> Callable[[Sequence[int]], bool]:
    """Whether one of the strings is in what tokens say (`said`: their text, special ones too)."""
    strings = [string for string in until if string]
    # A stop string is in the last tokens or was there before; a token says a byte at least.
    recent = max((len(string.encode()) for string in strings), default=0) + 8

    def stopped(tokens: Sequence[int]) -> bool:
        end = said(tokens[-recent:])
        if not any(string in end for string in strings):
            return False
        whole = said(tokens)
        return any(string in whole for string in strings)

    return stopped


@dataclass(frozen=True)
class _Group:
    """Prompts with a common prefix of this length."""

    prompts: tuple[int, ...]
    prefix: int


def continued(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    room: int,
    config: Any,
    stopped: Callable[[Sequence[int]], bool],
    progress: Callable[[int], object] = lambda _: None,
) -> list[list[int]]:
    """Up to `room` tokens after each prompt, the end-of-sequence token included.

    `config` is the model's generation config; `stopped` tells from a row's generated tokens whether
    a stop string has come.
    """
    ends = config.eos_token_id
    ends = set(ends) if isinstance(ends, list) else {ends}
    arrays = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
    generated: list[list[int]] = [[] for _ in prompts]

    def ended(tokens: Sequence[int]) -> bool:
        return tokens[-1] in ends or stopped(tokens)

    for group in _groups(arrays):
        with torch.inference_mode():
            path = prefilled(engine, arrays[group.prompts[0]][: group.prefix].tolist())
        # Alike in length, so that little is padded; longest first, lest memory end late.
        waiting = sorted(group.prompts, key=lambda i: -len(arrays[i]))
        while waiting:
            batch = waiting[: _rows_at_once(engine, path, arrays, waiting[0], room)]
            tails = [arrays[i][group.prefix :].tolist() for i in batch]
            chooser = _Chooser([arrays[i].tolist() for i in batch], config.repetition_penalty)
            try:
                found = generate(engine, path, tails, room, chooser, ended)
            except RuntimeError as error:
                engine.halve_or_raise(error)
                continue
            for i, tokens in zip(batch, found, strict=True):
                generated[i] = tokens
            progress(len(batch))
            waiting = waiting[len(batch) :]
    return generated


def _groups(prompts: list[Ints]) -> Iterator[_Group]:
    """Prompts in groups that begin alike."""
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].astype(">u4").tobytes())
    group: list[int] = []
    prefix = 0
    for i in order:
        # Every row keeps a token of its own.
        own = len(prompts[i]) - 1
        shared = min(prefix, own, shared_length(prompts[group[-1]], prompts[i])) if group else own
        if len(group) >= OWN_PREFIX and shared < prefix / 2:
            yield _Group(tuple(group), prefix)
            group, shared = [], own
        group.append(i)
        prefix = shared
    if group:
        yield _Group(tuple(group), prefix)


def _rows_at_once(engine: Engine, path: Path, prompts: list[Ints], longest: int, room: int) -> int:
    """How many rows memory holds, the longest being this."""
    # A third: what rows keep is copied when some leave.
    memory = free_memory(engine.device) // 3
    each = engine.cache_bytes * (len(prompts[longest]) - path.length + room)
    return int(max(1, min(engine.budget.rows, memory // max(1, each))))


class _Chooser:
    """The likeliest next token, after the one change to logits that models' own configs ask for."""

    def __init__(self, prompts: list[list[int]], penalty: float | None) -> None:
        self._prompts = prompts
        self._penalise: Any = None
        if penalty is not None and penalty != 1.0:
            from transformers import RepetitionPenaltyLogitsProcessor

            self._penalise = RepetitionPenaltyLogitsProcessor(penalty)

    def __call__(
        self, logits: Tensor, rows: Sequence[int], generated: Sequence[Sequence[int]]
    ) -> Ints:
        if self._penalise is not None:
            texts = [[*self._prompts[row], *generated[row]] for row in rows]
            longest = max(map(len, texts))
            # Filled with a token that is there already: the penalty asks only which are.
            full = torch.tensor([[text[0]] * (longest - len(text)) + text for text in texts])
            logits = self._penalise(full.to(logits.device), logits.float())
        likeliest: Ints = logits.argmax(-1).cpu().numpy()
        return likeliest
