"""The partition of pairs into families: the one object that every interval and test takes it from.

In: a family label for each pair. Out: the groups, and the selections that leave one of them out.
Pairs of one family share data, code and people; they are not independent, families nearly are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Families:
    """Which pair belongs to which family."""

    labels: tuple[str, ...]
    "By pair, in the order of the data."

    @classmethod
    def of(cls, labels: Sequence[object]) -> Families:
        """From any sequence of labels; ValueError if one is missing."""
        made = tuple(str(label) for label in labels)
        if empty := [i for i, label in enumerate(made) if label in ("", "nan", "<NA>", "None")]:
            raise ValueError(f"every pair needs a family; pair {empty[0]} has none")
        return cls(made)

    @property
    def names(self) -> tuple[str, ...]:
        """The families, in alphabetical order."""
        return tuple(sorted(set(self.labels)))

    @property
    def count(self) -> int:
        """How many families there are (G)."""
        return len(self.names)

    def members(self) -> NDArray[np.float64]:
        """[families, pairs]: 1 where the pair is of the family, in the order of `names`."""
        return np.asarray(np.asarray(self.labels) == np.asarray(self.names)[:, None], dtype=float)

    def select(self, chosen: NDArray[np.bool_]) -> Families:
        """The same partition of some of the pairs."""
        return Families(tuple(np.asarray(self.labels)[chosen].tolist()))

    def without_each(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """(family, selection of all pairs outside of it), each family in turn."""
        labels = np.asarray(self.labels)
        for name in self.names:
            yield name, labels != name
