"""Shared resamples are those that every sequence would draw alone."""

from __future__ import annotations

import numpy as np

from analysis.statistics.resampling.shared_resamples import SharedResamples


def alone(*sizes: int) -> list[np.ndarray]:  # type: ignore[type-arg]
    generator = np.random.default_rng(3)
    return [generator.multinomial(n, np.full(n, 1 / n), size=50) for n in sizes]


def test_sequences_that_take_turns_draw_what_each_draws_alone() -> None:
    """Two sequences begin alike; the third lacks the first task, the last two end differently."""
    shared = SharedResamples(50, seed=3)
    turns = [[12, 12, None], [7, 7, 7], [9, 8, 9]]
    sequences = [shared.sequence() for _ in range(3)]
    drawn: list[list[np.ndarray]] = [[], [], []]  # type: ignore[type-arg]
    for turn in turns:
        for size, sequence, results in zip(turn, sequences, drawn, strict=True):
            if size is not None:
                results.append(sequence(size))
    expected = [alone(12, 7, 9), alone(12, 7, 8), alone(7, 9)]
    for results, alone_drawn in zip(drawn, expected, strict=True):
        for ours, theirs in zip(results, alone_drawn, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert drawn[0][0] is drawn[1][0]
    assert drawn[0][1] is drawn[1][1]


def test_one_sequence_goes_on_and_another_begins_anew() -> None:
    shared = SharedResamples(50, seed=3)
    first = shared.sequence()
    assert not np.array_equal(first(12), first(12))
    np.testing.assert_array_equal(shared.sequence()(12), alone(12)[0])
