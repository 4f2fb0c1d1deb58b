"""Progress of generation: what a call has generated so far, from which an interrupted one resumes.

In: requests, the tokens and texts that an interrupted call left. Out: the same, extended in place
while the model generates, so that a caller can store them at any time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class GenerationProgress:
    """Responses so far, by request (`request_ids`)."""

    tokens: dict[str, list[int]] = field(default_factory=dict)
    "Token ids generated in packed batches, of finished and of unfinished responses."
    texts: dict[str, str] = field(default_factory=dict)
    "Finished responses of lm-eval's own path, which are whole texts."
    on_step: Callable[[], object] = lambda: None
    """Called when both dictionaries have been extended, about once per token of a batch: it must be
    fast."""


def request_ids(requests: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """A name for each (context, generation arguments), the same in every process.

    Requests that are repeated, as for sampling, have different names.
    """
    occurrences: Counter[str] = Counter()
    ids = []
    for context, arguments in requests:
        content = f"{sorted(arguments.items())!r}\n{context}"
        digest = hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()
        ids.append(f"{digest}-{occurrences[digest]}")
        occurrences[digest] += 1
    return ids
