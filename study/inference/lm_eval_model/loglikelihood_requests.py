"""lm-eval's log-likelihood requests: with shared prefixes where possible, else by `hf`.

In: lm-eval's requests. Out: what `hf` would return, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lm_eval import utils

from study.inference.lm_eval_model.request_paths import TOO_LONG, LMRequest, RequestPathLM
from study.inference.loglikelihood import EncodedRequests, score_requests
from study.inference.loglikelihood.forking.scores import score_forked

TokenRequest = tuple[Any, list[int], list[int]]
"(texts or None, context tokens, continuation tokens): lm-eval's encoded log-likelihood request."
Score = tuple[float, bool]
"(log P(continuation | context), whether greedy search would give the continuation)"


class LoglikelihoodLM(RequestPathLM):
    """lm-eval's `hf` model with packed log-likelihoods."""

    def loglikelihood(
        self, requests: Sequence[LMRequest], disable_tqdm: bool = False
    ) -> list[Score]:
        """(log P(continuation | context), whether it is greedy) of every request."""
        texts = _texts(requests)
        return self._score(self.encoded_requests(texts), texts, disable_tqdm)

    def continuation_lengths(self, requests: Sequence[LMRequest]) -> list[int]:
        """Number of tokens that `loglikelihood` scores for every request.

        These are the tokens of the continuation in its context: trailing spaces of the context
        count as part of it, and characters that the tokenizer merges into the context do not.
        """
        lengths: list[int] = self.encoded_requests(_texts(requests)).answer_lengths.tolist()
        return lengths

    def loglikelihood_rolling(
        self, requests: Sequence[LMRequest], disable_tqdm: bool = False
    ) -> list[float]:
        """log P(text) of every request, in windows as long as the context window."""
        windows: list[TokenRequest] = []
        owners = []
        for index, (text,) in enumerate(request.args for request in requests):
            rolled = utils.get_rolling_token_windows(
                token_list=self.tok_encode(text),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            for window in map(utils.make_disjoint_window, rolled):
                windows.append((None, *window))
                owners.append(index)
        totals = [0.0] * len(requests)
        for index, (logprob, _) in zip(
            owners, self._loglikelihood_tokens(windows, disable_tqdm), strict=True
        ):
            totals[index] += logprob
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self,
        requests: Sequence[TokenRequest],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[Score]:
        encoded = EncodedRequests.of((context, answer) for _, context, answer in requests)
        return self._score(encoded, [texts for texts, _, _ in requests], disable_tqdm, override_bs)

    def _score(
        self,
        requests: EncodedRequests,
        texts: Sequence[Any],
        disable_tqdm: bool,
        override_bs: int | None = None,
    ) -> list[Score]:
        """The scores of encoded requests; `texts` (or None) are those of each."""
        self._check_lengths(requests, texts)
        reason = self._reason_for_plain_path()
        forking = self._forking_engine
        packed = [] if reason and forking is None else self._packable(requests)
        if len(packed) == len(requests):
            return self._score_shared(requests, texts, disable_tqdm)
        pairs = requests.pairs()
        scores: dict[int, Score] = {}
        if packed:
            chosen = EncodedRequests.of(pairs[index] for index in packed)
            chosen_texts = [texts[index] for index in packed]
            scores |= zip(
                packed, self._score_shared(chosen, chosen_texts, disable_tqdm), strict=True
            )
        plain = [index for index in range(len(requests)) if index not in scores]
        self._counts.plain[TOO_LONG if packed or not reason else reason] += len(plain)
        requested = [(texts[index], *pairs[index]) for index in plain]
        longest = max(len(context) + len(answer) for _, context, answer in requested)
        method = super()._loglikelihood_tokens
        results = self._run_plain(lambda: method(requested, disable_tqdm, override_bs), longest)
        scores |= zip(plain, results, strict=True)
        return [scores[index] for index in range(len(requests))]

    def _check_lengths(self, requests: EncodedRequests, texts: Sequence[Any]) -> None:
        lengths, max_length = requests.answer_lengths, self.max_length
        without_context = requests.inputs.lengths < lengths
        for index in np.flatnonzero(
            (lengths < 1) | (lengths > max_length) | without_context
        ).tolist():
            if without_context[index]:
                raise ValueError(f"cannot score an answer without a context: {texts[index]!r:.200}")
            raise ValueError(
                f"cannot score an answer of {lengths[index]} tokens (between 1 and "
                f"{max_length} are possible): {texts[index]!r:.200}"
            )

    def _packable(self, requests: EncodedRequests) -> list[int]:
        """Indices of the requests that are short enough to share prefixes."""
        assert self.probe is not None
        lengths = np.minimum(requests.inputs.lengths, self.max_length)
        indices: list[int] = np.flatnonzero(lengths <= self.probe.max_length).tolist()
        return indices

    def _score_shared(
        self, requests: EncodedRequests, texts: Sequence[Any], disable_tqdm: bool
    ) -> list[Score]:
        tree = requests.tree(self.max_length)
        with self._progress_bar(len(tree.tree.tokens), "token", disable_tqdm) as bar:
            if self._engine is not None:
                self._counts.packed += len(requests)
                scores = score_requests(self._engine, tree, bar.update)
            else:
                assert self._forking_engine is not None
                self._counts.forked += len(requests)
                scores = score_forked(self._forking_engine, tree, bar.update)
        for request_texts, score in zip(texts, scores, strict=True):
            if request_texts is not None:
                self.cache_hook.add_partial("loglikelihood", request_texts, score)
        return scores


def _texts(requests: Sequence[LMRequest]) -> list[tuple[str, str]]:
    """(context, continuation) of each request."""
    return [(context, continuation) for context, continuation in (r.args for r in requests)]
