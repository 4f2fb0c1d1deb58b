"""Wrong positions and masks are refused in every number format.

Each fault is put into the packed forward passes of a model that is packed without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from transformers import AttentionMaskInterface

from study.inference.attention import hook
from study.inference.engine import Engine
from study.inference.probe.model_probe import probe_model
from tests.study.inference.small_models import PACKED, build_model

FORMATS = (torch.float32, torch.bfloat16, torch.float16)
MODELS = ("llama", "mistral, window", "qwen3", "gpt2", "mixtral")
Rule = Callable[[Any, Any, Any, Any], Any]


def outcome(name: str, dtype: torch.dtype) -> str:
    """Why the model is not packed."""
    result = probe_model(build_model(*PACKED[name]).to(dtype), 512)
    assert (result.engine is None) == bool(result.reason)
    return result.reason


def patch_logits(monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    """Change the arguments (attention, tokens, positions, rows) of every packed forward pass."""
    logits = Engine.logits

    def changed(self: Engine, *arguments: Any) -> Any:
        return logits(self, *change(*arguments))

    monkeypatch.setattr(Engine, "logits", changed)


@pytest.fixture
def set_rule() -> Iterator[Callable[[Callable[[Rule], Rule]], None]]:
    """A function that changes the mask function of every layer."""

    def register(change: Callable[[Rule], Rule]) -> None:
        def changed(*, mask_function: Rule, **_: Any) -> hook.PositionRule:
            return hook.PositionRule(change(mask_function))

        AttentionMaskInterface.register(hook.IMPLEMENTATION, changed)

    yield register
    AttentionMaskInterface.register(hook.IMPLEMENTATION, hook._position_rule)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", MODELS)
def test_without_a_fault(name: str, dtype: torch.dtype) -> None:
    assert outcome(name, dtype) == ""


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", MODELS)
def test_positions_shifted_by_one(
    monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype
) -> None:
    def shift(attention: Any, tokens: Any, positions: Any, rows: Any) -> Any:
        return attention, tokens, positions + (positions >= 30), rows

    patch_logits(monkeypatch, shift)
    assert "off by" in outcome(name, dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", MODELS)
def test_positions_shifted_by_one_in_decoding(
    monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype
) -> None:
    def shift(attention: Any, tokens: Any, positions: Any, rows: Any) -> Any:
        is_decoding = type(attention).__name__ == "RowCaches"
        return attention, tokens, positions + is_decoding, rows

    patch_logits(monkeypatch, shift)
    assert "off by" in outcome(name, dtype)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", MODELS)
def test_one_ancestor_left_out(set_rule: Any, name: str, dtype: torch.dtype) -> None:
    def without_the_first(rule: Rule) -> Rule:
        return lambda b, h, q, k: rule(b, h, q, k) & ((k > 0) | (q == 0))

    set_rule(without_the_first)
    # A window without its first position is no window.
    expected = "neither a sliding window nor in chunks" if "window" in name else "off by"
    assert expected in outcome(name, dtype)


@pytest.mark.parametrize("name", MODELS)
def test_a_rule_with_a_gap(set_rule: Any, name: str) -> None:
    def without_an_ancestor(rule: Rule) -> Rule:
        return lambda b, h, q, k: rule(b, h, q, k) & ((k != 30) | (q <= 30))

    set_rule(without_an_ancestor)
    assert "gaps" in outcome(name, torch.float32)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("difference", [-1, 1])
@pytest.mark.parametrize("name", ["mistral, window", "gemma2"])
def test_a_window_that_is_off_by_one(
    set_rule: Any, name: str, difference: int, dtype: torch.dtype
) -> None:
    window = 50 + difference

    def windowed(rule: Rule) -> Rule:
        zero = torch.zeros((), dtype=torch.long)
        is_windowed = not rule(zero, zero, zero + 400, zero)
        return lambda b, h, q, k: (k <= q) & (q - k < window) if is_windowed else rule(b, h, q, k)

    set_rule(windowed)
    assert "off by" in outcome(name, dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MODELS)
def test_a_fault_of_half_precision_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, dtype: torch.dtype
) -> None:
    """As a kernel may have that exists for half precision only."""

    def lose_scale(attention: Any, tokens: Any, positions: Any, rows: Any) -> Any:
        class Faulty(type(attention)):  # type: ignore[misc]
            def __call__(self, inputs: Any) -> Any:
                if inputs.q.dtype == dtype:
                    inputs = dataclasses.replace(inputs, k=inputs.k * 0.9)
                return super().__call__(inputs)

        attention.__class__ = Faulty
        return attention, tokens, positions, rows

    patch_logits(monkeypatch, lose_scale)
    reason = outcome(name, dtype)
    assert "off by" in reason
    assert "float32" not in reason
