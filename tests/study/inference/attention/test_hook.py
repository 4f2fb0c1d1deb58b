"""The hook replaces a model's attention within its context, and refuses what it cannot do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.masking_utils import sliding_window_causal_mask_function

from study.inference.attention.hook import (
    IMPLEMENTATION,
    AttentionInputs,
    PositionRule,
    UnsupportedModelError,
    _call_current_function,
    replaced_attention,
)
from tests.study.inference.small_models import PACKED, build_model

TOKENS = torch.tensor([[5, 6, 7]])


def zeros(inputs: AttentionInputs) -> torch.Tensor:
    return torch.zeros(inputs.q.shape[2], inputs.q.shape[1], inputs.v.shape[3])


def test_every_layer_calls_the_function_within_the_context() -> None:
    model = build_model(*PACKED["llama"])
    implementation = model.config._attn_implementation
    modules: list[Any] = []

    def recording(inputs: AttentionInputs) -> torch.Tensor:
        modules.append(inputs.module)
        return zeros(inputs)

    with torch.no_grad(), replaced_attention(model, recording):
        assert model.config._attn_implementation == IMPLEMENTATION
        model(TOKENS)
    assert len(set(modules)) == len(modules) == model.config.num_hidden_layers
    assert model.config._attn_implementation == implementation


def test_the_model_is_restored_after_an_error() -> None:
    model = build_model(*PACKED["llama"])
    implementation = model.config._attn_implementation
    with pytest.raises(RuntimeError, match="no"), replaced_attention(model, zeros):
        raise RuntimeError("no")
    assert model.config._attn_implementation == implementation


def test_windowed_layers_pass_on_their_rule() -> None:
    model = build_model(*PACKED["mistral, window"])
    rules: list[PositionRule | None] = []

    def recording(inputs: AttentionInputs) -> torch.Tensor:
        rules.append(inputs.rule)
        return zeros(inputs)

    with torch.no_grad(), replaced_attention(model, recording):
        model(TOKENS)
    assert all(rules)
    rule = rules[0]
    assert rule is not None
    allowed = rule.allows(torch.tensor([100]), torch.tensor([0, 50, 51, 100]))
    assert allowed.tolist() == [False, False, True, True]


def test_a_rule_broadcasts() -> None:
    rule = PositionRule(sliding_window_causal_mask_function(2))
    queries = torch.tensor([5, 6, 7])
    expected = [[True, False, False], [True, True, False], [False, True, True]]
    assert rule.allows(queries.unsqueeze(1), queries).tolist() == expected


@pytest.mark.parametrize("name", ["position_bias", "head_mask"])
def test_unsupported_arguments(name: str) -> None:
    q = torch.zeros(1, 1, 2, 4)
    with pytest.raises(UnsupportedModelError, match=name):
        _call_current_function(None, q, q, q, None, **{name: q})


def test_masks_of_the_models_own() -> None:
    q = torch.zeros(1, 1, 2, 4)
    with pytest.raises(UnsupportedModelError, match="its own attention masks"):
        _call_current_function(None, q, q, q, q)  # type: ignore[arg-type]
