"""Observing forward passes: heartbeat, tokens, NaN."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from study.running.cells.forward_monitor import ForwardPassMonitor


class FixedLogits(torch.nn.Module):
    """A model that returns given logits [batch, positions, vocabulary]."""

    def forward(self, input_ids: Any = None, logits: Any = None) -> Any:
        return SimpleNamespace(logits=logits)


@pytest.fixture
def model() -> FixedLogits:
    return FixedLogits()


def test_passes_are_reported_and_tokens_counted(model: FixedLogits) -> None:
    passes: list[int] = []
    monitor = ForwardPassMonitor(lambda: passes.append(1))
    monitor.attach(model)
    model(input_ids=torch.zeros(2, 5, dtype=torch.int64))
    model(torch.zeros(1, 3, dtype=torch.int64))
    model()
    assert len(passes) == 3
    assert monitor.tokens == 13
    monitor.reset()
    assert monitor.tokens == 0


def test_nan_is_found_until_reset(model: FixedLogits) -> None:
    monitor = ForwardPassMonitor(lambda: None)
    monitor.attach(model)
    assert not monitor.computed_nan()
    nan = torch.zeros(1, 4, 3)
    nan[0, 1, 2] = float("nan")
    model(logits=nan)
    model(logits=torch.zeros(1, 4, 3))
    assert monitor.computed_nan()
    monitor.reset()
    model(logits=torch.zeros(1, 4, 3))
    assert not monitor.computed_nan()


def test_in_padded_batches_only_the_last_position_counts(model: FixedLogits) -> None:
    monitor = ForwardPassMonitor(lambda: None)
    monitor.attach(model)
    padding = torch.zeros(2, 4, 3)
    padding[1, 0] = float("nan")
    model(logits=padding)
    assert not monitor.computed_nan()
    padding[1, -1] = float("nan")
    model(logits=padding)
    assert monitor.computed_nan()
