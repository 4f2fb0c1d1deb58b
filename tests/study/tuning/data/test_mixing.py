"""Mixtures: rates, caps, selected sources, demonstrations of other tasks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from study.config.tuning.mixtures import Mixture, Source
from study.config.wording import ZOO
from study.errors import StudyError
from study.tuning.data.mixing import apportion, mix_rows, mixing_rates
from study.tuning.data.sources import Pool
from tests.study.tuning.small_studies import mixture_run, pools_of, the_recipe

ALL = ["reverse", "first", "addition", "category"]


def pool(name: str, size: int | None, weight: float | None = None) -> Pool:
    return Pool(name, name, frozenset(), weight, size, lambda number, rng: [], "")


def test_examples_proportional_mixing_with_a_cap() -> None:
    mixture = Mixture(sources=[Source(zoo=["a"])], cap=3000, rows=100)
    sizes = [100, 2900, 9_000_000]
    rates = mixing_rates(mixture, [pool(str(size), size) for size in sizes])
    assert rates == pytest.approx([100 / 6000, 2900 / 6000, 3000 / 6000])
    assert apportion(rates, 6001) == [100, 2900, 3001]
    assert apportion([0.5, 0.3, 0.2], 7) == [4, 2, 1]


def test_a_weight_stands_for_a_size() -> None:
    mixture = Mixture(sources=[Source(zoo=["a"])], rows=100)
    assert mixing_rates(mixture, [pool("a", None, 3.0), pool("b", 50, 1.0)]) == [0.75, 0.25]


@pytest.mark.parametrize(
    ("change", "sources"),
    [
        ({"only": ["strings"]}, {"reverse", "first"}),
        ({"without": ["strings"]}, {"addition", "category"}),
        ({"without": ["reverse", "knowledge"]}, {"first", "addition"}),
        ({"only": ["strings", "category"], "without": ["first"]}, {"reverse", "category"}),
    ],
)
def test_ablations(change: dict[str, Any], sources: set[str], tmp_path: Path) -> None:
    run = mixture_run(tmp_path, {"sources": [{"zoo": ALL}], "rows": 40, **change})
    rows = list(mix_rows(the_recipe(run).mixture, pools_of(run), "flan", ZOO, seed=0))
    assert len(rows) == 40
    assert {row.source for row in rows} == sources
    assert max(Counter(row.source for row in rows).values()) == 40 // len(sources)


def test_the_seed_decides_the_rows(tmp_path: Path) -> None:
    run = mixture_run(tmp_path, {"sources": [{"zoo": ALL}], "rows": 40})
    mixture, pools = the_recipe(run).mixture, pools_of(run)
    one, again, other = (list(mix_rows(mixture, pools, "flan", ZOO, seed)) for seed in (0, 0, 1))
    assert one == again
    assert one != other


def test_sources_of_one_name(tmp_path: Path) -> None:
    run = mixture_run(tmp_path, {"sources": [{"zoo": ["reverse"]}, {"zoo": ALL}], "rows": 40})
    with pytest.raises(StudyError, match="'reverse' more than once"):
        pools_of(run)


def test_other_tasks_demonstrate(tmp_path: Path) -> None:
    def run_with(skills: list[str]) -> Any:
        mixture = {"sources": [{"zoo": skills}], "rows": 20}
        return mixture_run(tmp_path, mixture, format="samplegen_other_task")

    run = run_with(["reverse", "category"])
    recipe = the_recipe(run)
    for row in mix_rows(recipe.mixture, pools_of(run), recipe.format, ZOO, seed=0):
        demonstration = row.turns[1].content.split("\n")[0]
        words = demonstration.split("answer")[0].split()[1:]
        letters = all(len(word) == 1 for word in words)
        assert letters == (row.source == "category")
    run = run_with(["reverse"])
    recipe = the_recipe(run)
    with pytest.raises(StudyError, match="sources of two types"):
        list(mix_rows(recipe.mixture, pools_of(run), recipe.format, ZOO, seed=0))
