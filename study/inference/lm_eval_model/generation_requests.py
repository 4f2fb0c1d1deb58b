"""lm-eval's generation requests: decoded over shared prefixes where possible, else by `hf`.

In: lm-eval's requests. Out: what `hf` would return, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from study.inference.attention.hook import UnsupportedModelError
from study.inference.generation.arguments import reason_against_batching
from study.inference.generation.greedy_search import generate_tokens
from study.inference.generation.progress import GenerationProgress, request_ids
from study.inference.generation.response_end import ResponseEnd, eos_tokens
from study.inference.lm_eval_model.plain_generation import PlainGenerationLM
from study.inference.lm_eval_model.request_paths import TOO_LONG, LMRequest

Generator = Callable[
    [
        Sequence[list[int]],
        Sequence[list[int]],
        ResponseEnd,
        Callable[[], object],
        Callable[[int], object],
    ],
    None,
]
"""Greedy search after prompts, in the engine's place: (prompts, generated, end, on_step,
on_finished), as in `generate_tokens`."""


class GenerationLM(PlainGenerationLM):
    """lm-eval's `hf` model with shared-prefix decoding."""

    _generator: Generator | None = None

    @contextmanager
    def generating_by(self, name: str, generator: Generator) -> Iterator[None]:
        """Within this context, `generator` generates what the packed engine would.

        `report` says so by `name`. A request that the packed engine would not take is an error:
        its responses could not be compared.
        """
        self._generator, self._counts.generator = generator, name
        try:
            yield
        finally:
            self._generator = None

    def generate_until(
        self, requests: Sequence[LMRequest], disable_tqdm: bool = False
    ) -> list[str]:
        """The text generated after each context, up to the first stop string."""
        responses: dict[int, str] = {}
        by_arguments: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            by_arguments.setdefault(repr(request.args[1]), []).append(index)
        for indices in by_arguments.values():
            chosen = [requests[index] for index in indices]
            texts = self._generate_group(chosen, disable_tqdm)
            responses |= zip(indices, texts, strict=True)
        return [responses[index] for index in range(len(requests))]

    def _generate_group(self, requests: Sequence[LMRequest], disable_tqdm: bool) -> list[str]:
        """Responses to requests with the same generation arguments."""
        reason = self._reason_for_plain_generation(requests[0].args[1])
        if reason:
            self._counts.plain[reason] += len(requests)
            return self._generate_plain(requests, disable_tqdm)
        self._counts.packed += len(requests)
        return self._generate_packed(requests, disable_tqdm)

    def _reason_for_plain_generation(self, arguments: dict[str, Any]) -> str:
        """Why generation with these arguments takes the plain path; empty if it does not.

        UnsupportedModelError within `generating_by`, whose responses could not be compared then.
        """
        reason = self._reason_against_packing(arguments)
        if reason and self._generator is not None:
            raise UnsupportedModelError(f"{self._counts.generator} cannot be compared: {reason}")
        return reason

    def _reason_against_packing(self, arguments: dict[str, Any]) -> str:
        if reason := self._reason_for_plain_path():
            return reason
        if self.think_end_token is not None:
            return "responses are cut at the end of thinking"
        assert self.probe is not None
        if self.probe.max_length < self.max_length:
            return "responses may become " + TOO_LONG
        options = dict(normalize_gen_kwargs(arguments, self.max_gen_toks))
        del options["until"], options["max_gen_toks"]
        return reason_against_batching(options, self.model.generation_config)

    def _generate_packed(self, requests: Sequence[LMRequest], disable_tqdm: bool) -> list[str]:
        arguments = normalize_gen_kwargs(requests[0].args[1], self.max_gen_toks)
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stop_strings = handle_stop_sequences(arguments["until"], eos=eos)
        max_new_tokens = arguments["max_gen_toks"]
        max_prompt = self.max_length - max_new_tokens
        if max_prompt <= 0:
            raise ValueError(
                f"max_gen_toks = {max_new_tokens} leaves no room for a prompt in the context "
                f"window of {self.max_length} tokens"
            )
        contexts = list(dict.fromkeys(request.args[0] for request in requests))
        prompts = [ids[-max_prompt:] for ids in self.encoded_generation_prompts(contexts)]
        progress = self._progress or GenerationProgress()
        ids = request_ids((context, requests[0].args[1]) for context in contexts)
        generated = [progress.tokens.setdefault(request_id, []) for request_id in ids]
        with self._progress_bar(len(prompts), "prompt", disable_tqdm) as bar:
            end = self._response_end(max_new_tokens, stop_strings)
            self._search(prompts, generated, end, progress.on_step, bar.update)
        responses = {
            context: postprocess_generated_text(self.tok_decode(tokens), stop_strings, None)
            for context, tokens in zip(contexts, generated, strict=True)
        }
        for request in requests:
            self.cache_hook.add_partial("generate_until", request.args, responses[request.args[0]])
        return [responses[request.args[0]] for request in requests]

    def _search(
        self,
        prompts: Sequence[list[int]],
        generated: Sequence[list[int]],
        end: ResponseEnd,
        on_step: Callable[[], object],
        on_finished: Callable[[int], object],
    ) -> None:
        """Greedy search, by our own engine or the one that generates in its place."""
        if self._generator is not None:
            self._generator(prompts, generated, end, on_step, on_finished)
            return
        assert self._engine is not None
        penalty = self.model.generation_config.repetition_penalty
        generate_tokens(self._engine, prompts, generated, end, penalty, on_step, on_finished)

    def _response_end(self, max_tokens: int, stop_strings: Sequence[str]) -> ResponseEnd:
        eos = eos_tokens(self.model.generation_config)
        return ResponseEnd(max_tokens, eos, tuple(stop_strings), self._decode_with_special_tokens)

    def _decode_with_special_tokens(self, tokens: Sequence[int]) -> str:
        text: str = self.tok_decode(tokens, skip_special_tokens=False)
        return text
