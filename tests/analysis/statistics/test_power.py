"""Power of a study: its limits, and input that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.statistics.families import Families
from analysis.statistics.items.sampling import pairs_needed
from analysis.statistics.power import power

ALONE = Families.of([f"f{i}" for i in range(85)])
TRIPLES = Families.of([f"f{i // 3}" for i in range(30)])


def test_without_measurement_error_and_families_it_is_the_textbooks() -> None:
    """85 independent pairs detect a correlation of .3 with power .8."""
    rows = power(ALONE, items=10**9).rows.set_index("r")
    assert rows.loc[0.3, "pairs_needed"] == pairs_needed(0.3) == 85
    assert rows.loc[0.3, "power"] == pytest.approx(0.80, abs=0.01)
    assert rows.loc[0.3, "measured"] == pytest.approx(0.3)


def test_pairs_of_one_family_count_for_less() -> None:
    assert power(TRIPLES, items=100, intra_family=0).independent == 30
    assert power(TRIPLES, items=100, intra_family=1).independent == 10
    assert power(TRIPLES, items=100).independent == 15
    assert power(TRIPLES, items=100).smallest_p == 2 / 2**10


def test_fewer_items_attenuate_more() -> None:
    few, many = power(TRIPLES, items=50), power(TRIPLES, items=5000)
    assert few.reliability < many.reliability < 1
    assert (few.rows["power"] < many.rows["power"]).all()
    assert few.difference > many.difference


def test_text_and_frame() -> None:
    result = power(TRIPLES, items=100)
    assert len(result.to_frame()) == 4
    assert "30 pairs of 10 families" in result.text()
    assert "smallest p attainable with 10 families: .002" in result.text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"items": 0}, "items must be at least 1; found 0"),
        ({"intra_family": 1.5}, "intra_family must be at least 0 and at most 1; found 1.5"),
        ({"spread": 0}, "spread must be finite and above 0; found 0"),
        ({"alpha": 1.5}, "alpha must lie between 0 and 1; found 1.5"),
    ],
)
def test_impossible_input_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power(TRIPLES, **{"items": 100, **arguments})
    with pytest.raises(ValueError, match="families must hold at least one pair; found none"):
        power(Families(()), items=100)
