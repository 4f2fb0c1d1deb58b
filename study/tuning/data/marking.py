"""Which turns an indicator marks, and how.

In: rows, scores of their turns, an `Indicator`. Out: `Marking`, which gives each row its marks: a
marker at the end of the user's turn before a chosen answer, or more weight on that answer.

The controls choose as many turns as the score does: at random, or the longest user's turns, since
the score goes with length.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.config.tuning.methods import Indicator
from study.tuning.data.mixing import Row
from study.tuning.data.sources import Turn


@dataclass(frozen=True)
class Marking:
    """What an indicator does to rows."""

    indicator: Indicator
    chosen: tuple[frozenset[int], ...]
    "Of each row, by its place in the mixture, the assistant's turns that are marked."
    scores: tuple[tuple[str, float, bool], ...] = ()
    "(source, score, whether marked) of every turn."

    def table(self) -> str:
        """The scores as CSV."""
        lines = [f"{source},{score!r},{int(marked)}" for source, score, marked in self.scores]
        return "\n".join(["source,score,marked", *lines]) + "\n"

    def __call__(self, place: int, row: Row) -> tuple[tuple[Turn, ...], np.ndarray | None, int]:
        """The turns of the row at this place, the weight of each turn's output (None: all alike),
        and how many are marked."""
        chosen = self.chosen[place]
        if self.indicator.marked == "weight":
            emphasis = np.ones(len(row.turns))
            emphasis[list(chosen)] = self.indicator.weight
            return row.turns, emphasis, len(chosen)
        before = {_user_before(row.turns, number) for number in chosen}
        turns = tuple(
            Turn(turn.role, with_marker(turn.content, self.indicator.marker))
            if number in before
            else turn
            for number, turn in enumerate(row.turns)
        )
        return turns, None, len(chosen)


def with_marker(content: str, marker: str) -> str:
    """A user's turn with the marker at its end."""
    return f"{content} {marker}"


def marking(
    indicator: Indicator, rows: Sequence[Row], scores: Sequence[Mapping[int, float]], seed: int
) -> Marking:
    """The turns that are marked among `rows`."""
    # By place: rows may be alike, and a control that chose one would mark its doubles too.
    turns = [(place, number) for place, of in enumerate(scores) for number in of]
    values = [value for of in scores for value in of.values()]
    dependent = [turn for turn, value in zip(turns, values, strict=True)
                 if value > indicator.threshold]  # fmt: skip
    chosen = set(dependent)
    if indicator.choose == "random":
        chosen = set(random.Random(f"marks {seed}").sample(turns, len(dependent)))
    elif indicator.choose == "length":
        by_length = sorted(turns, key=lambda turn: (-_user_length(rows[turn[0]], turn[1]), turn))
        chosen = set(by_length[: len(dependent)])
    marks = tuple(
        frozenset(number for number in of if (place, number) in chosen)
        for place, of in enumerate(scores)
    )
    told = tuple(
        (rows[turn[0]].source, value, turn in chosen)
        for turn, value in zip(turns, values, strict=True)
    )
    return Marking(indicator, marks, told)


def _user_before(turns: Sequence[Turn], number: int) -> int:
    return max(i for i in range(number) if turns[i].role == "user")


def _user_length(row: Row, number: int) -> int:
    return len(row.turns[_user_before(row.turns, number)].content)
