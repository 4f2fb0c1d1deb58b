"""A strong baseline: prefixes reused by plain transformers, through its key/value cache.

In: what lm-eval's `hf` takes. Out: what `hf` would return. The prefix that a group of requests
shares is computed once; its cache is copied for every batch of what follows. Requests are one group
if they share at least half of their tokens, otherwise there is a group for each item. Whoever knows
the cache of transformers writes this in an afternoon.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from lm_eval.models.huggingface import HFLM
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache


class PrefixReuseLM(HFLM):
    """lm-eval's `hf` model with a cache for prefixes."""

    @torch.inference_mode()
    def _loglikelihood_tokens(
        self, requests: Sequence[Any], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        inputs = [tuple(context + answer)[:-1] for _, context, answer in requests]
        results: dict[int, tuple[float, bool]] = {}
        for group in _groups(inputs, [tuple(context) for _, context, _ in requests]):
            # Longest first; answers of one token share their row, as in `hf`.
            distinct = sorted({inputs[i] for i in group}, key=len, reverse=True)
            first_answer = min(len(requests[i][1]) for i in group) - 1
            prefix = distinct[0][: min(first_answer, _common(distinct))]
            cache = self._cache_of(prefix)
            for start in range(0, len(distinct), self.batch_size):
                batch = distinct[start : start + self.batch_size]
                members = [i for i in group if inputs[i] in set(batch)]
                first = min(len(requests[i][1]) for i in members) - 1
                logprobs = self._logprobs(cache, len(prefix), batch, first)
                for i in members:
                    answer = torch.tensor(requests[i][2], device=self.device)
                    stop = len(inputs[i]) - first
                    rows = logprobs[batch.index(inputs[i]), stop - len(answer) : stop]
                    total = rows.gather(1, answer[:, None]).sum()
                    results[i] = float(total), bool((rows.argmax(-1) == answer).all())
        return [results[i] for i in range(len(requests))]

    def _cache_of(self, prefix: Sequence[int]) -> DynamicCache:
        cache = DynamicCache(config=self.model.config)
        if prefix:
            self.model(self._row(prefix), past_key_values=cache, logits_to_keep=1)
        return cache

    def _logprobs(
        self, cache: DynamicCache, length: int, batch: list[tuple[int, ...]], first: int
    ) -> Tensor:
        """Log-probabilities [row, position - first, vocabulary] after a cached prefix."""
        tails = [torch.tensor(tokens[length:]) for tokens in batch]
        tokens = pad_sequence(tails, batch_first=True).to(self.device)
        logits = self.model(
            tokens,
            past_key_values=_copies(cache, len(batch)),
            logits_to_keep=tokens.shape[1] - (first - length),
        ).logits
        return F.log_softmax(logits, dim=-1, dtype=torch.float32)

    def _model_generate(
        self, context: Tensor, max_length: int, stop: list[str], **options: Any
    ) -> Tensor:
        """Generation, with the prefix of a batch computed once."""
        mask = options["attention_mask"]
        prompts = [
            tuple(row[kept.bool()].tolist()) for row, kept in zip(context, mask, strict=True)
        ]
        length = min(_common(prompts), min(map(len, prompts)) - 1)
        prefix, padding = prompts[0][:length], context.shape[1] - length
        # Padding between the prefix and the rest: positions follow from the mask.
        tokens = [
            [*prefix, *[self.tokenizer.pad_token_id] * (padding - len(p) + length), *p[length:]]
            for p in prompts
        ]
        kept = [
            [1] * length + [0] * (len(t) - len(p)) + [1] * (len(p) - length)
            for t, p in zip(tokens, prompts, strict=True)
        ]
        options["attention_mask"] = torch.tensor(kept, device=self.device)
        return super()._model_generate(
            torch.tensor(tokens, device=self.device),
            max_length,
            stop,
            past_key_values=_copies(self._cache_of(prefix), len(prompts)),
            **options,
        )

    def _row(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor([list(tokens)], device=self.device)


def _groups(inputs: list[tuple[int, ...]], contexts: list[tuple[int, ...]]) -> list[list[int]]:
    """Indices of requests whose common prefix is computed once."""
    mean_length = sum(map(len, inputs)) / len(inputs)
    if 2 * _common(inputs) >= mean_length:
        return [list(range(len(inputs)))]
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, context in enumerate(contexts):
        groups.setdefault(context, []).append(index)
    return list(groups.values())


def _common(sequences: Sequence[tuple[int, ...]]) -> int:
    """Length of the common prefix of all sequences."""
    first, last = min(sequences), max(sequences)
    pairs = zip(first, last, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def _copies(cache: DynamicCache, number: int) -> DynamicCache:
    copied = copy.deepcopy(cache)
    copied.batch_repeat_interleave(number)
    return copied
