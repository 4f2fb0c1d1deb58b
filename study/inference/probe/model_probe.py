"""Whether a loaded model can be packed or forked, by comparing with plain forward passes.

In: a model as lm-eval uses it. Out: `ProbeResult`: the engine, or the reason why there is none, and
how far its log-probabilities are off. A few sequences that share prefixes are scored both ways,
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
from study.inference.loglikelihood.forking.engine import ForkingEngine
from study.inference.probe.comparison import (
    AnyEngine,
    GroupedLogprobs,
    engine_logprobs,
    plain_logprobs,
    probe_sequences,
)
from study.inference.probe.config_limits import check_layer_types, max_shared_length
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
    "None if the model is not packed."
    reason: str
    "Why the model is not packed, and perhaps not forked; empty if it is packed."
    error: float | None
    """Median difference of log-probabilities, of the engine minus plain, in nats, of the group of
    tokens that comes closest to its tolerance; None if the engine's forward passes failed."""
    tolerance: float | None
    "Upper limit of `error`; None where `error` is."
    max_length: int
    "Length of the longest sequence that may share prefixes, in tokens."
    forking: ForkingEngine | None = None
    "The engine that copies states at branches; None if the model is packed, or plain."


@dataclass
class _Outcome:
    """The probe of one engine."""

    engine: AnyEngine | None = None
    reason: str = ""
    error: float | None = None
    tolerance: float | None = None
    max_length: int = 0


def probe_model(model: Any, max_length: int) -> ProbeResult:
    """Probe a model with a context window of `max_length` tokens: to be packed, else forked."""
    if model.dtype not in SUPPORTED:
        return ProbeResult(None, f"no tolerance is defined for {model.dtype}", None, None, 0)
    packed = _probe(model, max_length, Engine)
    if isinstance(packed.engine, Engine):
        return ProbeResult(packed.engine, "", packed.error, packed.tolerance, packed.max_length)
    forked = _probe(model, max_length, ForkingEngine)
    if isinstance(forked.engine, ForkingEngine):
        numbers = forked.error, forked.tolerance, forked.max_length
        return ProbeResult(None, packed.reason, *numbers, forked.engine)
    reason = f"{packed.reason}; with copied states: {forked.reason}"
    return ProbeResult(None, reason, packed.error, packed.tolerance, 0)


def _probe(model: Any, max_length: int, kind: type[AnyEngine]) -> _Outcome:
    """Whether an engine of this kind gives the results of plain forward passes."""
    outcome = _Outcome()
    try:
        engine = kind(model)
        config = engine.model.config
        if isinstance(engine, Engine):
            check_layer_types(config)
            _check_all_layers(engine)
        length = min(max_length, max_shared_length(config))
        group, outcome.error, outcome.tolerance = _worst_group(model, engine, length)
        # Written so that NaN, too, is a disagreement.
        if not outcome.error <= outcome.tolerance:
            raise UnsupportedModelError(
                f"log-probabilities are off by {outcome.error:.2g}, {group}"
            )
    except Exception as failure:  # the model's own code may raise anything
        name = "" if isinstance(failure, UnsupportedModelError) else f"{type(failure).__name__}: "
        outcome.reason = f"{name}{failure}"
        return outcome
    outcome.engine, outcome.max_length = engine, length
    return outcome


def _check_all_layers(engine: Engine) -> None:
    """UnsupportedModelError unless every layer calls the replaced attention."""
    layers = engine.model.config.get_text_config().num_hidden_layers
    reached = len(prefill_prefix(engine, [0, 1]).layers)
    if reached < layers:
        raise UnsupportedModelError(f"{reached} of its {layers} layers use attention of this kind")


def _worst_group(model: Any, engine: AnyEngine, max_length: int) -> tuple[str, float, float]:
    """The group of tokens whose error is the largest multiple of its tolerance: name and both."""
    probe = probe_sequences(engine, max_length)
    plain = plain_logprobs(model, engine, probe)
    errors = _median_differences(engine_logprobs(engine, probe), plain)
    tolerances = dict.fromkeys(errors, TOLERANCE)
    if model.dtype in HALF_PRECISION:
        with float32_weights(engine.model):
            plain_float32 = plain_logprobs(model, engine, probe)
            engine_float32 = engine_logprobs(engine, probe)
        noise = _median_differences(plain, plain_float32)
        tolerances = {group: max(MIN_TOLERANCE, NOISE_FACTOR * noise[group]) for group in noise}
        for group, error in _median_differences(engine_float32, plain_float32).items():
            name = f"{group} in float32"
            errors[name], tolerances[name] = error, TOLERANCE
    groups = list(errors)
    # NaN counts as the largest.
    worst = groups[int(np.argmax([errors[group] / tolerances[group] for group in groups]))]
    return worst, errors[worst], tolerances[worst]


def _median_differences(a: GroupedLogprobs, b: GroupedLogprobs) -> dict[str, float]:
    """Median absolute difference of each group."""
    return {group: float(np.median(np.abs(a[group] - b[group]))) for group in a}
