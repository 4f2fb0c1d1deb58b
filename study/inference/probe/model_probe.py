"""Whether a loaded model can be packed, by comparing packed with plain forward passes.

In: a model as lm-eval uses it. Out: `ProbeResult`: the engine, or the reason why there is none, and
the root mean square difference of log-probabilities. A few sequences that share prefixes are scored
both ways, and rows decoded in a batch are followed token by token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from study.inference.attention.hook import UnsupportedModelError
from study.inference.engine import Engine
from study.inference.generation.decoding import prefill_prefix
from study.inference.probe.comparison import logprob_differences
from study.inference.probe.config_limits import max_packed_length

TOLERANCE = {
    torch.float64: 1e-3,
    torch.float32: 1e-3,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
"""Largest root mean square difference of log-probabilities at which packed and plain agree. A wrong
mask or position changes them by tenths."""


@dataclass(frozen=True)
class ProbeResult:
    """Whether a model can be packed, and how exactly."""

    engine: Engine | None
    "None if the model takes the plain path."
    reason: str
    "Why the model takes the plain path; empty if it is packed."
    error: float | None
    """Root mean square difference of log-probabilities, packed minus plain, in nats; None if packed
    forward passes were not possible."""
    tolerance: float | None
    "Upper limit of `error` for this dtype; None if there is none for it."
    max_length: int
    "Length of the longest sequence that may be packed, in tokens."


def probe_model(model: Any, max_length: int) -> ProbeResult:
    """Probe a model whose context window is `max_length` tokens."""
    tolerance = TOLERANCE.get(model.dtype)
    error = None
    try:
        if tolerance is None:
            raise UnsupportedModelError(f"no tolerance is defined for {model.dtype}")
        engine = Engine(model)
        max_length = min(max_length, max_packed_length(engine.model.config))
        _check_all_layers(engine)
        error = float(np.sqrt(np.mean(np.square(logprob_differences(model, engine, max_length)))))
        # Written so that NaN, too, is a disagreement.
        if not error <= tolerance:
            raise UnsupportedModelError(f"packed log-probabilities are off by {error:.2g}")
    except Exception as failure:  # the model's own code may raise anything
        kind = "" if isinstance(failure, UnsupportedModelError) else f"{type(failure).__name__}: "
        reason = f"{kind}{failure}"
        return ProbeResult(None, reason, error, tolerance, 0)
    return ProbeResult(engine, "", error, tolerance, max_length)


def _check_all_layers(engine: Engine) -> None:
    """UnsupportedModelError unless every layer calls the replaced attention."""
    layers = engine.model.config.get_text_config().num_hidden_layers
    reached = len(prefill_prefix(engine, [0, 1]).layers)
    if reached < layers:
        raise UnsupportedModelError(f"{reached} of its {layers} layers use attention of this kind")
