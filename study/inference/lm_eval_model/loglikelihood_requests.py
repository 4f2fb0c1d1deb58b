"""lm-eval's log-likelihood requests: packed where the model supports it, else by `hf`.

In: lm-eval's requests. Out: what `hf` would return, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lm_eval import utils

from study.inference.lm_eval_model.request_paths import TOO_LONG, LMRequest, RequestPathLM
from study.inference.loglikelihood import build_request_tree, score_requests

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
        return self._loglikelihood_tokens(self._encode_requests(requests), disable_tqdm)

    def continuation_lengths(self, requests: Sequence[LMRequest]) -> list[int]:
        """Number of tokens that `loglikelihood` scores for every request.

        These are the tokens of the continuation in its context: trailing spaces of the context
        count as part of it, and characters that the tokenizer merges into the context do not.
        """
        return [len(continuation) for _, _, continuation in self._encode_requests(requests)]

    def _encode_requests(self, requests: Sequence[LMRequest]) -> list[TokenRequest]:
        """Requests as token ids, divided into context and continuation as lm-eval does."""
        texts = []
        for context, continuation in (request.args for request in requests):
            # lm-eval encodes the whole text, and the context without trailing spaces.
            texts += [context + continuation, context.rstrip()] if context else []
        self.encoded(list(dict.fromkeys(texts)))
        encoded: list[TokenRequest] = []
        for context, continuation in (request.args for request in requests):
            if context:
                tokens = self._encode_pair(context, continuation)
            else:  # lm_eval.api.model.TemplateLM.loglikelihood
                ids = self.tok_encode(continuation, add_special_tokens=False)
                has_prefix = ids[:1] == [self.prefix_token_id]
                tokens = (ids[:1], ids[1:]) if has_prefix else ([self.prefix_token_id], ids)
            encoded.append(((context, continuation), *tokens))
        return encoded

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
        self._check_lengths(requests)
        reason = self._reason_for_plain_path()
        packed = [] if reason else self._packable(requests)
        scores: dict[int, Score] = {}
        if packed:
            chosen = [requests[index] for index in packed]
            scores |= zip(packed, self._score_packed(chosen, disable_tqdm), strict=True)
        plain = [index for index in range(len(requests)) if index not in scores]
        if plain:
            self._counts.plain[reason or TOO_LONG] += len(plain)
            chosen = [requests[index] for index in plain]
            longest = max(len(context) + len(answer) for _, context, answer in chosen)
            method = super()._loglikelihood_tokens
            results = self._run_plain(lambda: method(chosen, disable_tqdm, override_bs), longest)
            scores |= zip(plain, results, strict=True)
        return [scores[index] for index in range(len(requests))]

    def _check_lengths(self, requests: Iterable[TokenRequest]) -> None:
        for texts, _, continuation in requests:
            if not 0 < len(continuation) <= self.max_length:
                raise ValueError(
                    f"cannot score an answer of {len(continuation)} tokens (between 1 and "
                    f"{self.max_length} are possible): {texts!r:.200}"
                )

    def _packable(self, requests: Sequence[TokenRequest]) -> list[int]:
        """Indices of the requests that are short enough to be packed."""
        assert self.probe is not None
        lengths = [len(context) + len(answer) - 1 for _, context, answer in requests]
        return [
            index
            for index, length in enumerate(lengths)
            if min(length, self.max_length) <= self.probe.max_length
        ]

    def _score_packed(self, requests: Sequence[TokenRequest], disable_tqdm: bool) -> list[Score]:
        assert self._engine is not None
        self._counts.packed += len(requests)
        pairs = [(context, answer) for _, context, answer in requests]
        tree = build_request_tree(pairs, self.max_length)
        with self._progress_bar(len(tree.tree.tokens), "token", disable_tqdm) as bar:
            scores = score_requests(self._engine, tree, bar.update)
        for (texts, _, _), score in zip(requests, scores, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, score)
        return scores
