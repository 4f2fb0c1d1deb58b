"""Watches a model's forward passes: that work goes on, how much it is, and that it makes no NaN.

In: a loaded model. Out: calls of whoever wants to know that it lives; tokens; whether NaN was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Passes:
    """What the forward passes since `begin` did."""

    def __init__(self, on_pass: Callable[[], object]) -> None:
        self.on_pass = on_pass
        self.tokens = 0
        self._nan: Any = None

    def watch(self, model: Any) -> None:
        """From now on."""
        model.register_forward_hook(self._passed, with_kwargs=True)

    def begin(self) -> None:
        """Forgets what was."""
        self.tokens, self._nan = 0, None

    def made_nan(self) -> bool:
        """Whether any of them did."""
        return self._nan is not None and bool(self._nan)

    def _passed(self, model: Any, arguments: Any, named: Any, output: Any) -> None:
        """NaN is looked for where it is made, and kept there: asking a GPU means to wait for it."""
        self.on_pass()
        read = named.get("input_ids", arguments[0] if arguments else None)
        self.tokens += 0 if read is None else read.numel()
        logits = getattr(output, "logits", None)
        if logits is not None:
            # Of padded batches, whose padding may be anything, the last position alone.
            seen = logits if len(logits) == 1 else logits[:, -1]
            found = seen.isnan().any()
            self._nan = found if self._nan is None else self._nan.to(found.device) | found
