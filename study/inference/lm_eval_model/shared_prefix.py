"""The lm-eval model `shared-prefix`: lm-eval's `hf` model, which computes shared prefixes once.

In: the arguments of `hf`. Out: a model whose results are those of `hf`. Loading, tokenization, chat
templates, truncation and the plain path are `hf`'s own.
"""

from __future__ import annotations

from lm_eval.api.registry import register_model

from study.inference.lm_eval_model.loglikelihood_requests import LoglikelihoodLM
from study.inference.lm_eval_model.thinking_requests import ThinkingLM


@register_model("shared-prefix")
class SharedPrefixLM(LoglikelihoodLM, ThinkingLM):
    """lm-eval's `hf` model with packed forward passes.

    Takes the arguments of `hf`, `memory_share`, which scales down the first budget of tokens, and
    `encodings`, token ids that models with the same tokenizer share.
    `batch_size` has no effect: sizes follow from the memory available. Public beyond `hf`:

    - `report()`: which path requests took, and the result of the probe
    - `plain_path(reason)`: a context in which no request is packed
    - `resuming(tokens, texts)`: a context in which generation resumes what a call has left
    - `generate_thinking(requests, format, budget)`: answers after a bounded length of thinking
    - `encoded(texts)`: token ids of many texts at once
    - `continuation_lengths(requests)`: number of tokens that log-likelihood requests score
    - `encoding`: the identity of how texts are encoded
    - `probe`: the result of the probe
    """
