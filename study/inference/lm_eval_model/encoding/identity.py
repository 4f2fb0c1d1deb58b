"""The identity of an encoding: everything besides the texts that decides their token ids.

In: a loaded lm-eval model. Out: a digest over the tokenizer itself as it is in memory, the options
with which lm-eval encodes, and the versions of the packages that do it.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import Any

FORMAT = 1
"Increased when the division of requests into contexts and answers changes here."
PACKAGES = ("lm_eval", "tokenizers", "transformers")


def encoding_identity(lm: Any) -> str | None:
    """The digest; None for a tokenizer with code of its own, which may depend on anything."""
    tokenizer = lm.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not type(tokenizer).__module__.startswith("transformers."):
        return None
    parts = [
        FORMAT,
        [version(package) for package in PACKAGES],
        type(tokenizer).__qualname__,
        backend.to_str(),
        tokenizer.split_special_tokens,
        tokenizer.bos_token,
        lm.backend,
        lm.add_bos_token,
        lm.prefix_token_id,
        tokenizer.decode(lm.prefix_token_id),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
