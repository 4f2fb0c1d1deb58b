"""Generation requests of models that think before they answer: two stages, one after the other.

In: lm-eval's generation requests, a budget of tokens, the model's markers. Out: for each request
the answer without the thinking, and the length of the thinking. The task's stop strings and maximum
length apply to the answer alone. Both stages continue token ids, so that no text is encoded again,
and both can resume from what an interrupted call left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lm_eval.models.utils import (
    handle_stop_sequences,
    normalize_gen_kwargs,
    postprocess_generated_text,
)

from study.inference.generation.progress import GenerationProgress, request_ids
from study.inference.generation.response_end import ResponseEnd
from study.inference.generation.thinking import (
    ThinkingFormat,
    ThinkingResponse,
    ThinkingState,
    after_closing,
    thinking_state,
)
from study.inference.lm_eval_model.request_paths import LMRequest
from study.inference.lm_eval_model.token_generation import TokenGenerationLM


@dataclass
class _Response:
    """One request on its way through both stages."""

    prompt: list[int]
    is_open: bool
    "Whether the prompt ends with the opening marker."
    thinking: list[int]
    "Tokens of the first stage, extended in place."
    answer: list[int]
    "Tokens of the second stage, extended in place."
    state: ThinkingState = ThinkingState.ABSENT
    is_exhausted: bool = False
    begun: str = ""
    "Text of the answer that the first stage has generated with the closing marker."


class ThinkingLM(TokenGenerationLM):
    """lm-eval's `hf` model with generation that thinks first."""

    def generate_thinking(
        self,
        requests: Sequence[LMRequest],
        format: ThinkingFormat,
        budget: int,
        disable_tqdm: bool = False,
    ) -> list[ThinkingResponse]:
        """The answer to every request, after at most `budget` tokens of thinking.

        ValueError if a prompt, the thinking and an answer do not fit into the context window.
        """
        ids = request_ids(request.args for request in requests)
        by_arguments: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            by_arguments.setdefault(repr(request.args[1]), []).append(index)
        responses: dict[int, ThinkingResponse] = {}
        for indices in by_arguments.values():
            group = self._think_and_answer(
                [requests[index].args[0] for index in indices],
                [ids[index] for index in indices],
                requests[indices[0]].args[1],
                format,
                budget,
                disable_tqdm,
            )
            responses |= zip(indices, group, strict=True)
        return [responses[index] for index in range(len(requests))]

    def _think_and_answer(
        self,
        contexts: Sequence[str],
        ids: Sequence[str],
        arguments: dict[str, Any],
        format: ThinkingFormat,
        budget: int,
        disable_tqdm: bool,
    ) -> list[ThinkingResponse]:
        """Responses to requests with the same generation arguments."""
        options = dict(normalize_gen_kwargs(arguments, self.max_gen_toks))
        eos = self.tok_decode(self.eot_token_id, skip_special_tokens=False)
        stop_strings = handle_stop_sequences(options.pop("until"), eos=eos)
        max_answer = options.pop("max_gen_toks")
        forced = self.tok_encode(format.forced, add_special_tokens=False)
        max_prompt = self.max_length - budget - len(forced) - max_answer
        if max_prompt <= 0:
            raise ValueError(
                f"{budget} tokens of thinking and {max_answer} of the answer leave no room for a "
                f"prompt in the context window of {self.max_length} tokens"
            )
        progress = self._progress or GenerationProgress()
        responses = [
            _Response(
                prompt[-max_prompt:],
                context.rstrip().endswith(format.opening),
                progress.tokens.setdefault(f"{name}-thinking", []),
                progress.tokens.setdefault(f"{name}-answer", []),
            )
            for context, prompt, name in zip(
                contexts, self.encoded_generation_prompts(contexts), ids, strict=True
            )
        ]
        if reason := self._reason_for_plain_generation(options):
            self._counts.plain[reason] += len(responses)
        else:
            self._counts.packed += len(responses)
        self._think(responses, ids, format, budget, options, disable_tqdm)
        for is_thinking in (False, True):  # white space between thinking and answer is no answer
            answering = [
                (name, response)
                for name, response in zip(ids, responses, strict=True)
                if (response.state is not ThinkingState.ABSENT) is is_thinking
                and (response.state is not ThinkingState.OPEN or response.is_exhausted)
            ]
            self._generate_tokens(
                [_answer_prompt(response, forced) for _, response in answering],
                [response.answer for _, response in answering],
                [f"{name}-answer" for name, _ in answering],
                self._answer_end(max_answer, stop_strings, after_thinking=is_thinking),
                options,
                disable_tqdm,
            )
        return [self._finished(response, stop_strings) for response in responses]

    def _think(
        self,
        responses: Sequence[_Response],
        ids: Sequence[str],
        format: ThinkingFormat,
        budget: int,
        options: dict[str, Any],
        disable_tqdm: bool,
    ) -> None:
        """The first stage: up to the closing marker, the end of the text or the budget."""
        decode = self._decode_with_special_tokens
        end = self._response_end(budget, [format.closing])
        self._generate_tokens(
            [response.prompt for response in responses],
            [response.thinking for response in responses],
            [f"{name}-thinking" for name in ids],
            end,
            options,
            disable_tqdm,
        )
        for response in responses:
            text = decode(response.thinking)
            response.state = thinking_state(text, format, is_open=response.is_open)
            if response.state is ThinkingState.CLOSED:
                response.begun = after_closing(text, format)
            elif response.state is ThinkingState.OPEN:
                response.is_exhausted = response.thinking[-1] not in end.eos

    def _answer_end(
        self, max_tokens: int, stop_strings: Sequence[str], *, after_thinking: bool
    ) -> ResponseEnd:
        end = self._response_end(max_tokens, stop_strings)
        if not after_thinking:
            return end
        return replace(end, decode=lambda tokens: end.decode(tokens).lstrip())

    def _finished(self, response: _Response, stop_strings: list[str]) -> ThinkingResponse:
        if response.state is ThinkingState.ABSENT:
            text = postprocess_generated_text(self.tok_decode(response.answer), stop_strings, None)
            return ThinkingResponse(text, 0, is_exhausted=False)
        text = (response.begun + self.tok_decode(response.answer)).lstrip()
        text = postprocess_generated_text(text, stop_strings, None)
        return ThinkingResponse(text, len(response.thinking), response.is_exhausted)


def _answer_prompt(response: _Response, forced: Sequence[int]) -> list[int]:
    """The tokens that the answer continues. A model that does not think begins its answer anew:
    its first stage knew nothing of the task's stop strings."""
    if response.state is ThinkingState.ABSENT:
        return response.prompt
    appended = forced if response.is_exhausted else ()
    return [*response.prompt, *response.thinking, *appended]
