"""The partition of pairs into model families, which every clustered interval and test uses.

In: a family label for each pair. Out: the clusters, and the selections that leave one of them out.
Models of one family share data, code and authors, so pairs of one family are not independent;
families are treated as independent clusters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Families:
    """The family of each pair."""

    labels: tuple[str, ...]
    "Family of each pair, in the order of the data."

    @classmethod
    def of(cls, labels: Sequence[object]) -> Families:
        """Build the partition from any sequence of labels; ValueError if a label is missing."""
        names = tuple(str(label) for label in labels)
        if missing := [i for i, name in enumerate(names) if name in ("", "nan", "<NA>", "None")]:
            raise ValueError(f"every pair needs a family; pair {missing[0]} has none")
        return cls(names)

    @property
    def names(self) -> tuple[str, ...]:
        """The families, in alphabetical order."""
        return tuple(sorted(set(self.labels)))

    @property
    def count(self) -> int:
        """Number of families, G."""
        return len(self.names)

    def members(self) -> NDArray[np.float64]:
        """Membership matrix [families, pairs]: 1 where the pair belongs to the family.

        Rows are in the order of `names`.
        """
        return np.asarray(np.asarray(self.labels) == np.asarray(self.names)[:, None], dtype=float)

    def select(self, selected: NDArray[np.bool_]) -> Families:
        """Restrict the partition to the selected pairs (boolean, [pairs])."""
        return Families(tuple(np.asarray(self.labels)[selected].tolist()))

    def without_each(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield (family, boolean selection of all pairs outside it) for each family."""
        labels = np.asarray(self.labels)
        for name in self.names:
            yield name, labels != name
