"""The probe's sequences cover branches, windows and several batches."""

from __future__ import annotations

import numpy as np

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.probe.comparison import _random_sequences, logprob_differences
from tests.study.inference.small_models import PACKED, build_model


def test_sequences_share_a_prefix_and_exceed_the_window() -> None:
    engine = Engine(build_model(*PACKED["mistral, window"]))
    sequences, prefix_length = _random_sequences(engine, 512)
    prefix = sequences[0][:prefix_length]
    assert all(sequence[:prefix_length] == prefix for sequence in sequences[:-1])
    assert sequences[-1][:prefix_length] != prefix
    assert max(map(len, sequences)) > max(BLOCK_SIZE, 50 + prefix_length)
    assert all(len(sequence) <= 30 for sequence in _random_sequences(engine, 30)[0])


def test_a_wrong_position_shows_in_the_differences() -> None:
    model = build_model(*PACKED["llama"])
    engine = Engine(model)
    assert np.abs(logprob_differences(model, engine, 512)).max() < 1e-4
    logits = engine.logits

    def shifted(attention: object, tokens: object, positions: np.ndarray, rows: object) -> object:
        return logits(attention, tokens, positions * 2, rows)  # type: ignore[arg-type]

    engine.logits = shifted  # type: ignore[assignment, method-assign]
    assert np.sqrt(np.mean(logprob_differences(model, engine, 512) ** 2)) > 0.1
