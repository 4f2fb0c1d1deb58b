"""The partition of pairs into families."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.families import Families


def test_members_and_selections_follow_the_names() -> None:
    families = Families.of(["b", "a", "b", "c"])
    assert families.names == ("a", "b", "c")
    assert families.count == 3
    assert families.members().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
    without = dict(families.without_each())
    assert list(without) == ["a", "b", "c"]
    assert without["b"].tolist() == [False, True, False, True]
    assert families.select(np.array([True, False, False, True])).labels == ("b", "c")


@pytest.mark.parametrize("missing", [math.nan, None, ""])
def test_every_pair_needs_a_family(missing: object) -> None:
    with pytest.raises(ValueError, match="every pair needs a family; pair 1 has none"):
        Families.of(["a", missing])


def test_labels_may_be_of_any_type_and_are_compared_as_text() -> None:
    families = Families.of([2, 10, 2])
    assert families.labels == ("2", "10", "2")
    assert families.names == ("10", "2")
    with pytest.raises(ValueError, match="pair 0 has none"):
        Families.of([pd.NA, "a"])
