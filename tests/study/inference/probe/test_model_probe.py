"""The probe's results for models that can and cannot be packed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from study.inference.probe import model_probe
from study.inference.probe.model_probe import TOLERANCE, probe_model
from tests.study.inference.small_models import PACKED, PLAIN, build_model

FORMATS = (torch.float32, torch.bfloat16, torch.float16)


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_a_model_that_can_be_packed(name: str) -> None:
    result = probe_model(build_model(*PACKED[name]), 512)
    assert result.engine is not None
    assert result.reason == ""
    assert result.max_length == 512
    assert result.error is not None
    assert result.error < 1e-5
    assert result.tolerance == TOLERANCE


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_measured_by_the_rounding_of_plain_forward_passes(
    dtype: torch.dtype,
) -> None:
    result = probe_model(build_model(*PACKED["llama"]).to(dtype), 512)
    assert result.engine is not None
    assert result.error is not None
    assert result.tolerance is not None
    eps = torch.finfo(dtype).eps
    assert eps / 10 < result.error < result.tolerance < 20 * eps


def test_a_model_without_attention_layers() -> None:
    result = probe_model(build_model(*PLAIN["mamba"]), 512)
    assert (result.engine, result.error, result.max_length) == (None, None, 0)
    assert result.reason


@pytest.mark.parametrize("dtype", FORMATS)
def test_layers_that_compute_attention_twice(dtype: torch.dtype) -> None:
    result = probe_model(build_model(*PLAIN["diffllama"]).to(dtype), 512)
    assert result.engine is None
    assert "attention more than once" in result.reason


def test_an_unknown_dtype() -> None:
    model = build_model(*PACKED["llama"]).to(torch.float8_e4m3fn)
    result = probe_model(model, 512)
    assert (result.engine, result.tolerance) == (None, None)
    assert result.reason == "no tolerance is defined for torch.float8_e4m3fn"


@pytest.mark.parametrize("dtype", FORMATS)
def test_nan_is_a_disagreement(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    engine_logprobs = model_probe.engine_logprobs

    def with_nan(*arguments: Any) -> Any:
        groups = engine_logprobs(*arguments)
        groups["branches"][:] = float("nan")
        return groups

    monkeypatch.setattr(model_probe, "engine_logprobs", with_nan)
    result = probe_model(build_model(*PACKED["llama"]).to(dtype), 512)
    assert result.engine is None
    assert "off by nan, branches" in result.reason
