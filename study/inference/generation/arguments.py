"""Which generation requests are plain greedy search.

In: lm-eval's generation arguments, the model's generation config. Out: the reason why a request
cannot be decoded in a shared-prefix batch, or none.
"""

from __future__ import annotations

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
