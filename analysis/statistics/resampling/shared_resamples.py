"""Resamples of clusters of items, drawn once for all that draw the same.

In: numbers of clusters, task by task. Out: how often each cluster is drawn. Every sequence of tasks
begins with the same seed, so that the tasks of one contrast are resampled as they were without the
others; contrasts of the same tasks then draw the same numbers, which takes longer than all that is
computed from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Resample = Callable[[int], Ints]
"From a number of clusters to how often each is drawn, [draws, clusters]."


class _Drawn(NamedTuple):
    """Resamples, and the states of the generator before and after."""

    before: Any
    after: Any
    counts: Ints


class SharedResamples:
    """Sequences of resamples from one seed; only the last resamples are kept."""

    def __init__(self, draws: int, seed: int) -> None:
        self._draws, self._seed = draws, seed
        self._last: _Drawn | None = None

    def sequence(self) -> Resample:
        """A sequence from its beginning: each call draws the next resamples.

        Sequences that have drawn the same share what they draw next if they take turns.
        """
        generator = np.random.default_rng(self._seed)

        def resample(clusters: int) -> Ints:
            before, last = generator.bit_generator.state, self._last
            if last and last.counts.shape[1] == clusters and last.before == before:
                generator.bit_generator.state = last.after
                return last.counts
            shares = np.full(clusters, 1 / clusters)
            counts = generator.multinomial(clusters, shares, size=self._draws)
            self._last = _Drawn(before, generator.bit_generator.state, counts)
            return counts

        return resample
