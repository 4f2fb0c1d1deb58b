"""The process in which vLLM generates: run as a script, in vLLM's own environment.

In: JSON, a line each, on standard input: first the arguments of lm-eval's `vllm` model, then
requests with the token ids of their prompts. Out: a line of JSON for each, on what was standard
output. It ends when its input does. vLLM's environment need not have this package: nothing of it is
imported here.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any


def main() -> None:
    """Load the model, then answer until the input ends."""
    # Libraries print: their output goes where their messages go.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    model: Any = None
    for line in sys.stdin:
        try:
            content = json.loads(line)
            if model is None:
                model = _load(content)
                answer: dict[str, Any] = {}
            else:
                answer = {"tokens": _generate(model, **content)}
        except Exception as error:  # vLLM may raise anything; the other process reports it
            traceback.print_exc()  # into the log
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _load(arguments: dict[str, Any]) -> Any:
    from lm_eval.models.vllm_causallms import VLLM

    # With "auto" it would show a progress bar. Whatever the size, all prompts go to vLLM at once.
    return VLLM(batch_size=1, **arguments)


def _generate(
    model: Any,
    prompts: list[list[int]],
    lengths: list[int],
    stop: list[str],
    stop_tokens: list[int],
) -> list[list[int]]:
    """Greedy search: at most `lengths` tokens after each prompt, with the one that ended it."""
    from vllm import SamplingParams

    parameters = [
        SamplingParams(
            temperature=0,
            max_tokens=length,
            stop=stop,
            stop_token_ids=stop_tokens,
            include_stop_str_in_output=True,
            skip_special_tokens=False,
        )
        for length in lengths
    ]
    outputs = model._model_generate(prompts, generate=True, sampling_params=parameters)
    return [list(output.outputs[0].token_ids) for output in outputs]


if __name__ == "__main__":
    main()
