"""Greedy search by vLLM: the same responses as `greedy_search`, asked for in rounds.

In: a `VllmProcess`, prompts as token ids, what was generated before an interruption. Out: the
tokens generated after each prompt. Where a response ends is decided here, by the same rule as for
our own engine; vLLM stops early where it can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from study.inference.generation.response_end import ResponseEnd
from study.inference.generation.vllm.process import VllmProcess

ROUND_TOKENS = 100_000
"""Tokens that a round generates at most, of all responses together: about half a minute at 3,000
tokens a second. After each round the responses can be stored."""
MIN_LENGTH = 16
"Tokens of one response in a round, at least."


def search_by_vllm(
    process: VllmProcess,
    prompts: Sequence[Sequence[int]],
    generated: Sequence[list[int]],
    end: ResponseEnd,
    on_step: Callable[[], object] = lambda: None,
    on_finished: Callable[[int], object] = lambda _: None,
) -> None:
    """Extend `generated` in place until every response is finished.

    `on_step` is called after every round, `on_finished` with the number of responses that were
    finished before and by each round.
    """
    unfinished = [i for i in range(len(prompts)) if not end.is_reached(generated[i])]
    on_finished(len(prompts) - len(unfinished))
    while unfinished:
        length = max(MIN_LENGTH, ROUND_TOKENS // len(unfinished))
        new = process.generate(
            [[*prompts[i], *generated[i]] for i in unfinished],
            [min(length, end.max_tokens - len(generated[i])) for i in unfinished],
            end.stop_strings,
            sorted(end.eos),
        )
        for index, tokens in zip(unfinished, new, strict=True):
            for token in tokens:
                generated[index].append(token)
                if end.is_reached(generated[index]):
                    break
        on_step()
        remaining = [i for i in unfinished if not end.is_reached(generated[i])]
        on_finished(len(unfinished) - len(remaining))
        unfinished = remaining
