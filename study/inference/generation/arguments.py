"""Which generation requests are plain greedy search, and where stop strings end a response.

In: lm-eval's generation arguments, the model's generation config, stop strings. Out: the reason
why a request cannot be decoded in a shared-prefix batch, or none; a test for stop strings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

SAMPLING_ARGUMENTS = frozenset(
    "do_sample temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff".split()
)
"Arguments that have no effect on greedy search."
SUPPORTED_CONFIG_ENTRIES = SAMPLING_ARGUMENTS | frozenset(
    "bos_token_id eos_token_id pad_token_id max_length repetition_penalty transformers_version "
    "use_cache _from_model_config output_attentions output_hidden_states return_dict_in_generate "
    "cache_implementation".split()
)
"Entries of a generation config that do not affect greedy search, or that are implemented here."


def reason_against_batching(arguments: dict[str, Any], config: Any) -> str:
    """Why a request is not plain greedy search; empty if it is.

    `arguments` are lm-eval's generation arguments without stop strings and lengths, `config` is
    the generation config of the model.
    """
    if is_sampled(arguments):
        return "sampling was requested"
    if names := sorted(arguments.keys() - SAMPLING_ARGUMENTS):
        return f"generation argument {', '.join(names)}"
    if names := sorted(config.to_diff_dict().keys() - SUPPORTED_CONFIG_ENTRIES):
        return f"the model's generation config sets {', '.join(names)}"
    return ""


def is_sampled(arguments: dict[str, Any]) -> bool:
    """Whether lm-eval's generation arguments ask for sampling."""
    return bool(arguments.get("do_sample") or arguments.get("temperature"))


def stop_string_test(
    stop_strings: Sequence[str], decode: Callable[[Sequence[int]], str]
) -> Callable[[Sequence[int]], bool]:
    """A function that tells whether the text of generated tokens contains a stop string.

    `decode` turns token ids into text, including special tokens. The function expects to be called
    after every token.
    """
    strings = [string for string in stop_strings if string]
    # A stop string that has just been completed lies in the last tokens: each has a byte or more.
    recent = max((len(string.encode()) for string in strings), default=0) + 8

    def contains_stop_string(tokens: Sequence[int]) -> bool:
        end = decode(tokens[-recent:])
        if not any(string in end for string in strings):
            return False
        text = decode(tokens)
        return any(string in text for string in strings)

    return contains_stop_string
