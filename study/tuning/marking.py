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

from study.tuning.methods import Indicator
from study.tuning.mixture import Row
from study.tuning.sources import Turn

Place = tuple[Row, int]
"A row and the number of an assistant's turn in it."


@dataclass(frozen=True)
class Marking:
    """What an indicator does to rows."""

    indicator: Indicator
    chosen: Mapping[Row, frozenset[int]]
    "By row, the assistant's turns that are marked."
    scores: tuple[tuple[str, float, bool], ...] = ()
    "(source, score, whether marked) of every turn."

    def table(self) -> str:
        """The scores as CSV."""
        lines = [f"{source},{score!r},{int(marked)}" for source, score, marked in self.scores]
        return "\n".join(["source,score,marked", *lines]) + "\n"

    def __call__(self, row: Row) -> tuple[tuple[Turn, ...], np.ndarray | None, int]:
        """The row's turns, the weight of each turn's output (None: all alike), and how many are
        marked."""
        chosen = self.chosen.get(row, frozenset())
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
    places = [(row, number) for row, of in zip(rows, scores, strict=True) for number in of]
    values = [value for of in scores for value in of.values()]
    dependent = [p for p, value in zip(places, values, strict=True) if value > indicator.threshold]
    chosen = dependent
    if indicator.choose == "random":
        chosen = random.Random(f"marks {seed}").sample(places, len(dependent))
    elif indicator.choose == "length":
        longest = sorted(range(len(places)), key=lambda i: (-_user_length(places[i]), i))
        chosen = [places[i] for i in longest[: len(dependent)]]
    by_row: dict[Row, set[int]] = {}
    for row, number in chosen:
        by_row.setdefault(row, set()).add(number)
    told = tuple(
        (row.source, value, number in by_row.get(row, ()))
        for (row, number), value in zip(places, values, strict=True)
    )
    marks = {row: frozenset(numbers) for row, numbers in by_row.items()}
    return Marking(indicator, marks, told)


def _user_before(turns: Sequence[Turn], number: int) -> int:
    return max(i for i in range(number) if turns[i].role == "user")


def _user_length(place: Place) -> int:
    row, number = place
    return len(row.turns[_user_before(row.turns, number)].content)
