"""Power of a study: its limits, and input that is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

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


def test_power_of_attenuated_correlations_by_hand() -> None:
    """100 items: standard error at most .05, spread .15, reliability .0225/.025 = .9."""
    result = power(ALONE, items=100, alpha=0.01)
    assert result.reliability == pytest.approx(0.9)
    row = result.rows.set_index("r").loc[0.3]
    shift = math.atanh(0.27) * math.sqrt(82)
    both = stats.norm.sf(2.575829 - shift) + stats.norm.cdf(-2.575829 - shift)
    assert row["measured"] == pytest.approx(0.27)
    assert row["power"] == pytest.approx(both, rel=1e-5)
    assert row["pairs_needed"] == pairs_needed(0.27, alpha=0.01)
    assert result.difference == pytest.approx((1.959964 + 0.8416212) * 0.05, rel=1e-6)
    assert result.smallest_bound == pytest.approx(math.tanh(stats.t.ppf(0.95, 84) / 82**0.5))
    clustered = power(TRIPLES, items=100).rows.set_index("r").loc[0.5]
    assert clustered["pairs_needed"] == pairs_needed(0.45, per_family=3, intra_family=0.5)


def test_a_study_too_small_for_an_interval_has_no_power() -> None:
    small = power(Families.of("abc"), items=100)
    assert small.rows["power"].isna().all()
    assert math.isnan(small.smallest_bound)
    assert power(Families.of("abcd"), items=100).rows["power"].notna().all()
    assert math.isfinite(power(Families.of("abcd"), items=100).smallest_bound)
    one = power(Families.of("aaaaaaaa"), items=100, intra_family=0)
    assert math.isnan(one.smallest_bound)
    assert one.rows["power"].notna().all()
