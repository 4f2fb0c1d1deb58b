"""The probe's results for models that can and cannot be packed."""

from __future__ import annotations

import pytest
import torch

from study.inference.probe import model_probe
from study.inference.probe.model_probe import TOLERANCE, probe_model
from tests.study.inference.small_models import PACKED, PLAIN, build_model


@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_a_model_that_can_be_packed(name: str) -> None:
    result = probe_model(build_model(*PACKED[name]), 512)
    assert result.engine is not None
    assert result.reason == ""
    assert result.max_length == 512
    assert result.error is not None
    assert result.error < 1e-5
    assert result.tolerance == TOLERANCE[torch.float32]


def test_a_model_without_attention_layers() -> None:
    result = probe_model(build_model(*PLAIN["mamba"]), 512)
    assert (result.engine, result.error, result.max_length) == (None, None, 0)
    assert result.reason


def test_an_unknown_dtype() -> None:
    model = build_model(*PACKED["llama"]).to(torch.float8_e4m3fn)
    result = probe_model(model, 512)
    assert (result.engine, result.tolerance) == (None, None)
    assert result.reason == "no tolerance is defined for torch.float8_e4m3fn"


def test_nan_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = torch.tensor([float("nan")]).numpy()
    monkeypatch.setattr(model_probe, "logprob_differences", lambda *_: nan)
    result = probe_model(build_model(*PACKED["llama"]), 512)
    assert result.engine is None
    assert "off by nan" in result.reason
