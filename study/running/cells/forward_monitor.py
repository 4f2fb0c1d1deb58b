"""Observing a model's forward passes: that work continues, how much it is, and whether it is NaN.

In: a loaded model. Out: calls of a heartbeat; a count of tokens; whether a pass computed NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ForwardPassMonitor:
    """What the forward passes since `reset` did."""

    def __init__(self, on_pass: Callable[[], object]) -> None:
        self.on_pass = on_pass
        self.tokens = 0
        self._nan: Any = None

    def attach(self, model: Any) -> None:
        """Observe every forward pass of the model from now on."""
        model.register_forward_hook(self._after_pass, with_kwargs=True)

    def reset(self) -> None:
        """Forget earlier passes."""
        self.tokens, self._nan = 0, None

    def computed_nan(self) -> bool:
        """Whether a pass computed NaN; waits for the device."""
        return self._nan is not None and bool(self._nan)

    def _after_pass(self, model: Any, arguments: Any, named: Any, output: Any) -> None:
        """NaN is looked for on the device and kept there: asking for it would wait for a GPU."""
        self.on_pass()
        ids = named.get("input_ids", arguments[0] if arguments else None)
        self.tokens += 0 if ids is None else ids.numel()
        logits = getattr(output, "logits", None)
        if logits is not None:
            # In padded batches, whose padding may be anything, only the last position.
            valid = logits if len(logits) == 1 else logits[:, -1]
            nan = valid.isnan().any()
            self._nan = nan if self._nan is None else self._nan.to(nan.device) | nan
