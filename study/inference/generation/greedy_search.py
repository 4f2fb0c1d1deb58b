"""Generation requests: prompts are grouped by prefix and decoded in batches that memory holds.

In: prompts as token ids, the model's generation config, a test for stop strings. Out: the tokens
generated after each prompt, as transformers' greedy search would give them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from study.inference.attention.path_cache import PathCache
from study.inference.engine import Engine
from study.inference.generation.decoding import decode_batch, prefill_prefix
from study.inference.generation.prompt_groups import group_prompts
from study.inference.memory import free_memory
from study.inference.prefix_tree import Ints


def generate_tokens(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    config: Any,
    contains_stop_string: Callable[[Sequence[int]], bool],
    progress: Callable[[int], object] = lambda _: None,
) -> list[list[int]]:
    """Greedy search after every prompt.

    Parameters
    ----------
    engine
        The model.
    prompts
        Token ids of each prompt, at least one.
    max_new_tokens
        Upper limit of generated tokens per prompt.
    config
        The generation config of the model, of which the end-of-sequence token ids and the
        repetition penalty apply.
    contains_stop_string
        Whether the generated tokens of a prompt contain a stop string.
    progress
        Called with the number of prompts completed by each batch.

    Returns
    -------
    Generated token ids of each prompt, including the end-of-sequence token.
    """
    eos = config.eos_token_id
    eos_ids = set(eos) if isinstance(eos, list) else {eos}
    arrays = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
    generated: list[list[int]] = [[] for _ in prompts]

    def is_finished(tokens: Sequence[int]) -> bool:
        return tokens[-1] in eos_ids or contains_stop_string(tokens)

    for group in group_prompts(arrays):
        with torch.inference_mode():
            prefix = arrays[group.prompts[0]][: group.prefix_length].tolist()
            path = prefill_prefix(engine, prefix)
        # Sorted by length, so that there is little padding; the longest first, so that running out
        # of memory happens early.
        remaining = sorted(group.prompts, key=lambda index: -len(arrays[index]))
        while remaining:
            longest = len(arrays[remaining[0]]) + max_new_tokens
            batch = remaining[: _batch_size(engine, path, longest)]
            tails = [arrays[index][group.prefix_length :].tolist() for index in batch]
            choose = TokenChoice([arrays[i].tolist() for i in batch], config.repetition_penalty)
            try:
                rows = decode_batch(engine, path, tails, max_new_tokens, choose, is_finished)
            except RuntimeError as error:
                engine.halve_budget(error)
                continue
            for index, tokens in zip(batch, rows, strict=True):
                generated[index] = tokens
            progress(len(batch))
            remaining = remaining[len(batch) :]
    return generated


def _batch_size(engine: Engine, path: PathCache, longest: int) -> int:
    """Number of rows that memory holds, if each grows to the length `longest`."""
    # A third of the free memory: caches are copied when rows are removed.
    memory = free_memory(engine.device) // 3
    bytes_per_row = engine.cache_bytes * (longest - path.length)
    return int(max(1, min(engine.budget.rows, memory // max(1, bytes_per_row))))


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
