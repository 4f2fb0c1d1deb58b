"""Half-precision models compute in float32, with the float32 weights of one module at a time."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from study.inference.probe.float32_weights import HALF_PRECISION, float32_weights
from tests.study.inference.small_models import PACKED, build_model

TOKENS = torch.tensor([[5, 60, 70, 8]])


@pytest.mark.parametrize("dtype", HALF_PRECISION)
@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "mixtral"])
def test_logits_are_those_of_a_float32_copy(name: str, dtype: torch.dtype) -> None:
    model = build_model(*PACKED[name]).to(dtype)
    expected = copy.deepcopy(model).float()(TOKENS).logits
    with torch.inference_mode(), float32_weights(model):
        logits = model(TOKENS).logits
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, expected, atol=1e-4)
    assert not torch.allclose(model(TOKENS).logits.float(), expected, atol=1e-4)


def test_weights_are_converted_for_one_module_at_a_time_and_restored() -> None:
    model = build_model(*PACKED["llama"]).bfloat16()
    before = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    converted: list[list[str]] = []

    def record(module: Any, *_: Any) -> None:
        names = [name for name, weight in model.named_parameters() if weight.dtype == torch.float32]
        if any(True for _ in module.parameters(recurse=False)):
            converted.append(names)

    handles = [module.register_forward_hook(record) for module in model.modules()]
    with torch.inference_mode(), float32_weights(model):
        model(TOKENS)
    for handle in handles:
        handle.remove()
    assert sorted(name for names in converted for name in names) == sorted(before)
    assert all(len(names) == 1 for names in converted)
    assert {name: weight.data_ptr() for name, weight in model.named_parameters()} == before


def test_weights_are_restored_after_an_error() -> None:
    model = build_model(*PACKED["llama"]).half()

    def fail(*_: Any) -> None:
        raise RuntimeError("no")

    model.model.layers[1].mlp.act_fn.register_forward_hook(fail)
    model.model.layers[1].self_attn.q_proj.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="no"), float32_weights(model):
        model(TOKENS)
    assert {weight.dtype for weight in model.parameters()} == {torch.float16}
