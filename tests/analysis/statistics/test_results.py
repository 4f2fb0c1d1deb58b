"""Every result is frozen and gives a row of a table and a sentence."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

from analysis import statistics
from analysis.data.error_variance import group_error_variance
from analysis.data.points import groups
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.dependent import (
    williams,
)
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.correlation.partial import partial_correlation
from analysis.statistics.correlation.within_between import within_between
from analysis.statistics.disattenuation.disattenuate import disattenuate
from analysis.statistics.disattenuation.error_variance import variance_components
from analysis.statistics.disattenuation.likelihood import by_likelihood
from analysis.statistics.disattenuation.moments import (
    by_moments,
)
from analysis.statistics.families import Families
from analysis.statistics.items.agreement import (
    agreement,
)
from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.multilevel.mixed_model import Term, mixed_model
from analysis.statistics.power import power
from analysis.statistics.resampling.hotelling import hotelling_test
from analysis.statistics.resampling.jackknife import family_jackknife
from analysis.statistics.resampling.permutation import permutation_test
from analysis.statistics.resampling.wild_bootstrap import wild_test
from analysis.statistics.result import Result
from tests.analysis.samples import (
    X,
    Y,
)

RNG = np.random.default_rng(0)


ITEMS = (RNG.random((2, 10, 40)) < RNG.uniform(0.2, 0.9, (1, 10, 1))).astype(float)


POINTS = ITEMS.mean(2)


FAMILIES = Families.of("aabbccddee")


@pytest.fixture
def results(scores: Any) -> list[Result]:
    x, y = POINTS
    errors = np.tile(np.eye(2) * 0.001, (10, 1, 1))
    group = next(groups(scores, x_arm=X, y_arm=Y))
    error_variance = group_error_variance(group, None)
    assert error_variance is not None
    group_x, group_y = group.x.mean(1), group.y.mean(1)
    return [
        agreement(ITEMS[0, 0], ITEMS[1, 0]),
        partial_correlation(x, y, np.arange(10)),
        within_between(x, y, FAMILIES),
        correlate(x, y, FAMILIES),
        williams(0.3, 0.4, 0.5, 100),
        by_moments(*ITEMS),
        hotelling_test(family_jackknife(lambda rest: np.array([x[rest].mean()]), FAMILIES)),
        equivalence(0.1, bound=0.3, n=100),
        variance_components(ITEMS.transpose(1, 0, 2)),
        disattenuate(group_x, group_y, group.families, error_variance),
        by_likelihood(x, y, errors),
        meta_analysis([0.1, 0.4, 0.3], [0.01, 0.02, 0.01]),
        mixed_model(x, {"constant": 1.0}, {"family": Term(list(FAMILIES.labels))}),
        permutation_test(x, y, FAMILIES, scheme="family means", rng=RNG),
        power(FAMILIES, items=100),
        wild_test(x, y, FAMILIES, rng=RNG),
    ]


def test_every_kind_of_result_is_tested(results: list[Result]) -> None:
    for module in pkgutil.walk_packages(statistics.__path__, "analysis.statistics."):
        importlib.import_module(module.name)
    assert {type(result) for result in results} == set(Result.__subclasses__())


def test_rows_sentences_and_frozenness(results: list[Result]) -> None:
    for result in results:
        frame = result.to_frame()
        assert len(frame) >= 1
        assert frame.notna().any().any()
        sentence = result.sentence()
        assert sentence.endswith(".")
        assert "nan" not in sentence, sentence
        name = dataclasses.fields(result)[0].name  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, name, 0)
