"""The lm-eval model `shared-prefix`: lm-eval's `hf` model, which computes what prompts share once.

In: lm-eval's requests. Out: what `hf` would answer, in the same order. Loading, tokenisation, chat
templates, truncation and the plain path are `hf`'s own; what is scored or generated goes through
the packed engine where the probe found that the model allows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval import utils
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import (
    handle_stop_sequences,
    has_bos_prefix,
    normalize_gen_kwargs,
    postprocess_generated_text,
)
from tqdm import tqdm

from study.inference.encoding import Encoder
from study.inference.engine import Engine, free_memory, ran_out_of_memory, release
from study.inference.generation.requests import continued, stops_at, unlike_greedy
from study.inference.loglikelihood import requests_tree, scored
from study.inference.probe import probe

Request = tuple[Any, list[int], list[int]]
"(texts or None, context tokens, continuation tokens), as lm-eval hands them on."


@dataclass
class Taken:
    """Which path requests took since the last report."""

    packed: int = 0
    plain: Counter[str] = field(default_factory=Counter)
    "By reason."


@register_model("shared-prefix")
class SharedPrefixLM(HFLM):  # type: ignore[misc]
    """Takes the arguments of lm-eval's `hf` model; `batch_size` is not heeded: memory is."""

    def __init__(self, *arguments: Any, memory_share: float = 1.0, **named: Any) -> None:
        """`memory_share`: of the tokens that a pass takes at first, where it ran out of memory."""
        super().__init__(*arguments, **named)
        self._memory_share = memory_share
        self._encoder = Encoder(self.tokenizer)
        self._beginning = self.tokenizer.decode(self.prefix_token_id)
        self._taken = Taken()
        self.probed = None if self.backend != "causal" else probe(self.model, self.max_length)
        if self._engine is not None:
            self._engine.budget = self._engine.budget.shared(memory_share)

    def report(self) -> dict[str, Any]:
        """Which path the requests since the last report took, and what the probe had found."""
        taken, self._taken = self._taken, Taken()
        return {
            "path": "plain" if not taken.packed else "mixed" if taken.plain else "packed",
            "packed_requests": taken.packed,
            "plain_requests": dict(taken.plain),
            "probe_error": self.probed.error if self.probed else None,
            "probe_tolerance": self.probed.tolerance if self.probed else None,
        }

    @property
    def _engine(self) -> Engine | None:
        return self.probed.engine if self.probed else None

    def _why_plain(self) -> str:
        return self.probed.reason if self.probed else "encoder-decoder"

    # Tokenisation: lm-eval's own, its texts encoded together beforehand.

    def encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of texts as the model reads them."""
        self._encoder.remember({text: self._special(text) for text in texts})
        return [self.tok_encode(text) for text in texts]

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: Any,
    ) -> list[int]:
        """As `hf`'s."""
        add = self._special(string) if add_special_tokens is None else add_special_tokens
        ids = self._encoder.one(string, add)
        return ids[-left_truncate_len:] if left_truncate_len else ids

    def _special(self, text: str) -> bool | None:
        if has_bos_prefix(text, self._beginning):
            return False
        return self.add_bos_token  # type: ignore[no-any-return]

    def loglikelihood(
        self, requests: list[Any], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """(log P(continuation | context), whether greedy search would give it) for each."""
        texts = []
        for context, continuation in (request.args for request in requests):
            # lm-eval encodes the whole, and the context without its trailing spaces.
            texts += [context + continuation, context.rstrip()] if context else []
        self.encoded(list(dict.fromkeys(texts)))
        answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm)
        return answers

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """log P(text) for each, in windows of the model's length."""
        windows: list[Request] = []
        owners = []
        for owner, (text,) in enumerate(request.args for request in requests):
            rolled = utils.get_rolling_token_windows(
                token_list=self.tok_encode(text),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            for window in map(utils.make_disjoint_window, rolled):
                windows.append((None, *window))
                owners.append(owner)
        totals = [0.0] * len(requests)
        for owner, (logprob, _) in zip(
            owners, self._loglikelihood_tokens(windows, disable_tqdm), strict=True
        ):
            totals[owner] += logprob
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self,
        requests: Sequence[Request],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> list[tuple[float, bool]]:
        engine, most = self._engine, self.max_length
        longest = self.probed.longest if self.probed else 0
        answers: dict[int, tuple[float, bool]] = {}
        packed = []
        for i, (texts, context, continuation) in enumerate(requests):
            if not 0 < len(continuation) <= most:
                raise ValueError(
                    f"an answer of {len(continuation)} tokens cannot be scored (of 1 to "
                    f"{most}): {texts!r:.200}"
                )
            if min(len(context) + len(continuation) - 1, most) <= longest:
                packed.append(i)
        if engine and packed:
            chosen = [requests[i] for i in packed]
            answers |= zip(packed, self._packed(engine, chosen, disable_tqdm), strict=True)
        plain = [i for i in range(len(requests)) if i not in answers]
        if plain:
            reason = self._why_plain() or "longer than the model's frequencies allow to pack"
            self._taken.plain[reason] += len(plain)
            left = [requests[i] for i in plain]
            longest = max(len(context) + len(answer) for _, context, answer in left)
            call = super()._loglikelihood_tokens
            found = self._plainly(lambda: call(left, disable_tqdm, override_bs), longest)
            answers |= zip(plain, found, strict=True)
        return [answers[i] for i in range(len(requests))]

    def _packed(
        self, engine: Engine, requests: Sequence[Request], disable_tqdm: bool
    ) -> list[tuple[float, bool]]:
        self._taken.packed += len(requests)
        pairs = [(context, answer) for _, context, answer in requests]
        tree = requests_tree(pairs, self.max_length)
        with self._bar(len(tree.nodes.tokens), "token", disable_tqdm) as bar:
            answers = scored(engine, tree, bar.update)
        for (texts, _, _), found in zip(requests, answers, strict=True):
            if texts is not None:
                self.cache_hook.add_partial("loglikelihood", texts, found)
        return answers

    def _plainly(self, call: Callable[[], list[Any]], longest: int) -> list[Any]:
        """`hf`'s own way, in batches that memory holds: logits of all positions, and as many
        log-probabilities."""
        each = 8 * min(longest, self.max_length) * self.config.get_text_config().vocab_size
        self.batch_size_per_gpu = int(
            max(1, self._memory_share * min(64, free_memory(self.device) // 4 // each))
        )
        while True:
            try:
                return call()
            except RuntimeError as error:
                if self.batch_size_per_gpu == 1 or not ran_out_of_memory(error):
                    raise
                self.batch_size_per_gpu //= 2
                release(error)

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The text generated after each context, up to its stop strings."""
        answers: dict[int, str] = {}
        of_arguments: dict[str, list[int]] = {}
        for i, request in enumerate(requests):
            of_arguments.setdefault(repr(request.args[1]), []).append(i)
        for same in of_arguments.values():
            reason = self._why_not_batched(requests[same[0]].args[1])
            chosen = [requests[i] for i in same]
            if reason:
                self._taken.plain[reason] += len(same)
                call = super().generate_until
                found = self._plainly(lambda: call(chosen, disable_tqdm), self.max_length)  # noqa: B023
            else:
                self._taken.packed += len(same)
                found = self._generated(chosen, disable_tqdm)
            answers |= zip(same, found, strict=True)
        return [answers[i] for i in range(len(requests))]

    def _why_not_batched(self, arguments: dict[str, Any]) -> str:
        """Why generation with these arguments takes the plain path; empty if it does not."""
        if self._engine is None or self.probed is None:
            return self._why_plain()
        if self.think_end_token is not None:
            return "thinking is cut off"
        if self.probed.longest < self.max_length:
            return "texts may grow longer than the model's frequencies allow to pack"
        rest = dict(normalize_gen_kwargs(arguments, self.max_gen_toks))
        del rest["until"], rest["max_gen_toks"]
        return unlike_greedy(rest, self.model.generation_config)

    def _generated(self, requests: list[Any], disable_tqdm: bool) -> list[str]:
        assert self._engine is not None
        arguments = normalize_gen_kwargs(requests[0].args[1], self.max_gen_toks)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        until = handle_stop_sequences(arguments["until"], eos=eos)
        room = arguments["max_gen_toks"]
        most = self.max_length - room
        if most <= 0:
            raise ValueError(
                f"{room} tokens to generate (max_gen_toks) leave no room for a prompt in the "
                f"model's {self.max_length}"
            )
        contexts = list(dict.fromkeys(request.args[0] for request in requests))
        prompts = [self._prompt(context)[-most:] for context in contexts]
        with self._bar(len(prompts), "prompt", disable_tqdm) as bar:
            generated = continued(
                self._engine,
                prompts,
                room,
                self.model.generation_config,
                stops_at(until, self._said),
                bar.update,
            )
        text = {
            context: postprocess_generated_text(self.tok_decode(tokens), until, None)
            for context, tokens in zip(contexts, generated, strict=True)
        }
        for request in requests:
            self.cache_hook.add_partial("generate_until", request.args, text[request.args[0]])
        return [text[request.args[0]] for request in requests]

    def _prompt(self, context: str) -> list[int]:
        # hf reads what it continues by another rule than what it scores.
        begun = has_bos_prefix(context, getattr(self.tokenizer, "bos_token", None))
        return self._encoder.one(context, False if begun else self.add_bos_token)

    def _said(self, tokens: Sequence[int]) -> str:
        text: str = self.tok_decode(tokens, skip_special_tokens=False)
        return text

    def _bar(self, total: int, unit: str, disabled: bool) -> Any:
        return tqdm(
            total=total, desc="shared-prefix", unit=unit, disable=disabled or self.rank != 0
        )
