"""The probe's sequences cover branches, windows and several batches."""

from __future__ import annotations

import numpy as np

from study.inference.engine import BLOCK_SIZE, Engine
from study.inference.probe.comparison import (
    SCORED,
    engine_logprobs,
    plain_logprobs,
    probe_sequences,
)
from tests.study.inference.small_models import PACKED, build_model

WINDOW = 50


def test_sequences_share_a_prefix_and_exceed_the_window() -> None:
    engine = Engine(build_model(*PACKED["mistral, window"]))
    probe = probe_sequences(engine, 512)
    prefix = probe.prefix
    assert all(sequence[: len(prefix)] == prefix for sequence in probe.sequences[:-1])
    assert probe.sequences[-1][: len(prefix)] != prefix
    assert max(map(len, probe.sequences)) > BLOCK_SIZE + len(prefix)
    # All scored tokens of the longest two are beyond the window.
    beyond = [len(tokens) - SCORED > WINDOW for tokens in probe.sequences]
    assert sum(beyond) == 2


def test_sequences_of_a_short_context_window() -> None:
    probe = probe_sequences(Engine(build_model(*PACKED["llama"])), 30)
    assert all(len(sequence) <= 30 for sequence in probe.sequences)
    for tokens, branch in zip(probe.sequences[:3], probe.branches, strict=False):
        assert 0 <= branch < len(tokens)


def test_groups_hold_every_scored_token_once() -> None:
    model = build_model(*PACKED["llama"])
    engine = Engine(model)
    probe = probe_sequences(engine, 512)
    plain, packed = plain_logprobs(model, engine, probe), engine_logprobs(engine, probe)
    assert (
        list(plain)
        == list(packed)
        == [f"sequence {i}" for i in range(10)]
        + [
            "branches",
            "decoding",
        ]
    )
    assert sum(map(len, plain.values())) - len(plain["decoding"]) == sum(probe.counts)
    assert len(plain["branches"]) == 3 * (3 + 2 + 4)
    for group in plain:
        assert np.abs(plain[group] - packed[group]).max() < 1e-4
