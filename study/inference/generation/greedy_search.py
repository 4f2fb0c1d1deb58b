"""Generation requests: prompts are grouped by prefix and decoded in batches that memory holds.

In: prompts as token ids, what was generated after each before an interruption, where responses end.
Out: the tokens generated after each prompt, as
transformers' greedy search would give them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.inference.engine import Engine
from study.inference.generation.decoding import decode_batch, prefill_prefix
from study.inference.generation.prompt_groups import group_prompts
from study.inference.generation.response_end import ResponseEnd
from study.inference.memory import free_memory
from study.inference.prefix_tree import Ints

PREFILL_OPERATIONS = {"cpu": 1.5e12, "cuda": 1.5e15}
"""Floating-point operations, by device, with which the tails of a batch are prefilled at most. They
take half a minute on a slow device of this kind (50 GFLOP/s, 50 TFLOP/s); whoever resumes repeats
them."""


def generate_tokens(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    generated: Sequence[list[int]],
    end: ResponseEnd,
    repetition_penalty: float | None = None,
    on_step: Callable[[], object] = lambda: None,
    on_finished: Callable[[int], object] = lambda _: None,
) -> None:
    """Greedy search after every prompt, until every response is finished.

    Parameters
    ----------
    engine
        The model.
    prompts
        Token ids of each prompt, at least one.
    generated
        Token ids of each response, including the end-of-sequence token; extended in place. An empty
        list begins a response, another one resumes it.
    end
        Where a response ends.
    repetition_penalty
        That of the model's generation config.
    on_step
        Called whenever tokens have been added.
    on_finished
        Called with the number of responses that were finished before, and by each batch.
    """
    texts = [np.asarray([*p, *g], dtype=np.int64) for p, g in zip(prompts, generated, strict=True)]
    unfinished = [index for index in range(len(prompts)) if not end.is_reached(generated[index])]
    on_finished(len(prompts) - len(unfinished))
    for group in group_prompts([texts[index] for index in unfinished]):
        members = [unfinished[number] for number in group.prompts]
        with torch.inference_mode():
            path = prefill_prefix(engine, texts[members[0]][: group.prefix_length].tolist())
        # Sorted by length, so that there is little padding; the longest first, so that running out
        # of memory happens early.
        remaining = sorted(members, key=lambda index: -len(texts[index]))
        while remaining:
            lengths = [len(prompts[i]) + len(generated[i]) - path.length for i in remaining]
            max_steps = end.max_tokens - min(len(generated[index]) for index in remaining)
            size = _batch_size(engine, lengths, max_steps)
            batch = remaining[:size]
            tails = [[*prompts[i], *generated[i]][path.length :] for i in batch]
            rows = [generated[index] for index in batch]
            choose = TokenChoice([list(prompts[i]) for i in batch], repetition_penalty)
            try:
                decode_batch(engine, path, tails, rows, max_steps, choose, end.is_reached, on_step)
            except RuntimeError as error:
                engine.halve_budget(error)
            interrupted = [index for index in batch if not end.is_reached(generated[index])]
            on_finished(len(batch) - len(interrupted))
            remaining = interrupted + remaining[size:]


def _batch_size(engine: Engine, tails: Sequence[int], max_steps: int) -> int:
    """Number of rows, of those with tails of these lengths, that are decoded together.

    Memory holds them if each grows by `max_steps`, and they are prefilled in bounded time.
    """
    # A third of the free memory: caches are copied when rows are removed.
    memory = free_memory(engine.device) // 3
    bytes_per_row = engine.cache_bytes * (max(tails) + max_steps)
    operations = 2 * engine.parameters * np.cumsum(tails)
    limit = PREFILL_OPERATIONS.get(engine.device.type, PREFILL_OPERATIONS["cpu"])
    in_time = int(np.searchsorted(operations, limit, side="right"))
    return int(max(1, min(engine.budget.rows, memory // max(1, bytes_per_row), in_time)))


class TokenChoice:
    """Chooses the most probable next token of each row, after the repetition penalty if any."""

    def __init__(self, prompts: list[list[int]], penalty: float | None) -> None:
        """`prompts` are the token ids of all rows of the batch."""
        self._prompts = prompts
        self._penalise: Any = None
        if penalty is not None and penalty != 1.0:
            from transformers import RepetitionPenaltyLogitsProcessor

            self._penalise = RepetitionPenaltyLogitsProcessor(penalty)

    def __call__(
        self, logits: Tensor, rows: Sequence[int], generated: Sequence[Sequence[int]]
    ) -> Ints:
        """The next token of each of `rows`, given their logits [rows, vocabulary].

        `generated` are the tokens generated so far for every row of the batch.
        """
        if self._penalise is not None:
            texts = [[*self._prompts[row], *generated[row]] for row in rows]
            longest = max(map(len, texts))
            # Padded with a token that is in the text: the penalty depends only on which occur.
            padded = torch.tensor([[text[0]] * (longest - len(text)) + text for text in texts])
            logits = self._penalise(padded.to(logits.device), logits.float())
        tokens: Ints = logits.argmax(-1).cpu().numpy()
        return tokens
