"""Whether a loaded model can be packed, by comparing packed with plain forward passes.

In: a model as lm-eval uses it. Out: `ProbeResult`: the engine, or the reason why there is none, and
how far packed log-probabilities are off. A few sequences that share prefixes are scored both ways,
and rows decoded in a batch are followed token by token.

Rounding in half precision hides small faults. A model in float16 or bfloat16 is therefore compared
twice: in float32, where a wrong mask or position stands out in every group of tokens, and in its
own format, where packed forward passes may be off by no more than the plain ones are from float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from study.inference.attention.hook import UnsupportedModelError
from study.inference.engine import Engine
from study.inference.generation.decoding import prefill_prefix
from study.inference.probe.comparison import (
    GroupedLogprobs,
    packed_logprobs,
    plain_logprobs,
    probe_sequences,
)
from study.inference.probe.config_limits import max_packed_length
from study.inference.probe.float32_weights import HALF_PRECISION, float32_weights

TOLERANCE = 1e-3
"""Largest median difference of a group at which packed and plain agree in float32. Rounding gives
some 10⁻⁶ where no token goes to another expert; a wrong mask or position changes tenths."""
NOISE_FACTOR = 3.0
"""In half precision, the tolerance as a multiple of the median rounding error of plain forward
passes. Two results that are rounded independently differ by about 1.4 times the error of each."""
MIN_TOLERANCE = 1e-5
"Tolerance in half precision if plain forward passes happen to round to the float32 result."
SUPPORTED = (torch.float64, torch.float32, *HALF_PRECISION)


@dataclass(frozen=True)
class ProbeResult:
    """Whether a model can be packed, and how exactly."""

    engine: Engine | None
    "None if the model takes the plain path."
    reason: str
    "Why the model takes the plain path; empty if it is packed."
    error: float | None
    """Median difference of log-probabilities, packed minus plain, in nats, of the group of tokens
    that comes closest to its tolerance; None if packed forward passes were not possible."""
    tolerance: float | None
    "Upper limit of `error`; None where `error` is."
    max_length: int
    "Length of the longest sequence that may be packed, in tokens."


def probe_model(model: Any, max_length: int) -> ProbeResult:
    """Probe a model whose context window is `max_length` tokens."""
    error = tolerance = None
    try:
        if model.dtype not in SUPPORTED:
            raise UnsupportedModelError(f"no tolerance is defined for {model.dtype}")
        engine = Engine(model)
        max_length = min(max_length, max_packed_length(engine.model.config))
        _check_all_layers(engine)
        group, error, tolerance = _worst_group(model, engine, max_length)
        # Written so that NaN, too, is a disagreement.
        if not error <= tolerance:
            raise UnsupportedModelError(f"packed log-probabilities are off by {error:.2g}, {group}")
    except Exception as failure:  # the model's own code may raise anything
        kind = "" if isinstance(failure, UnsupportedModelError) else f"{type(failure).__name__}: "
        return ProbeResult(None, f"{kind}{failure}", error, tolerance, 0)
    return ProbeResult(engine, "", error, tolerance, max_length)


def _check_all_layers(engine: Engine) -> None:
    """UnsupportedModelError unless every layer calls the replaced attention."""
    layers = engine.model.config.get_text_config().num_hidden_layers
    reached = len(prefill_prefix(engine, [0, 1]).layers)
    if reached < layers:
        raise UnsupportedModelError(f"{reached} of its {layers} layers use attention of this kind")


def _worst_group(model: Any, engine: Engine, max_length: int) -> tuple[str, float, float]:
    """The group of tokens whose error is the largest multiple of its tolerance: name and both."""
    probe = probe_sequences(engine, max_length)
    plain = plain_logprobs(model, engine, probe)
    errors = _median_differences(packed_logprobs(engine, probe), plain)
    tolerances = dict.fromkeys(errors, TOLERANCE)
    if model.dtype in HALF_PRECISION:
        with float32_weights(engine.model):
            plain_float32 = plain_logprobs(model, engine, probe)
            packed_float32 = packed_logprobs(engine, probe)
        noise = _median_differences(plain, plain_float32)
        tolerances = {group: max(MIN_TOLERANCE, NOISE_FACTOR * noise[group]) for group in noise}
        for group, error in _median_differences(packed_float32, plain_float32).items():
            name = f"{group} in float32"
            errors[name], tolerances[name] = error, TOLERANCE
    groups = list(errors)
    # NaN counts as the largest.
    worst = groups[int(np.argmax([errors[group] / tolerances[group] for group in groups]))]
    return worst, errors[worst], tolerances[worst]


def _median_differences(a: GroupedLogprobs, b: GroupedLogprobs) -> dict[str, float]:
    """Median absolute difference of each group."""
    return {group: float(np.median(np.abs(a[group] - b[group]))) for group in a}
