"""What must hold of every estimator, whatever the data: identities, limits, invariances."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.data.families import Families
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.correlation.equivalence import equivalence
from analysis.statistics.correlation.partial import partial_correlation, within_between
from analysis.statistics.disattenuation.likelihood import by_likelihood
from analysis.statistics.disattenuation.moments import (
    by_moments,
    error_covariance,
    of_covariances,
)
from analysis.statistics.disattenuation.split_halves import by_halves, half_scores, of_halves
from analysis.statistics.items.agreement import (
    agreement,
    error_consistency,
    mcnemar_p,
    only_tuned,
    over_items,
    same_wrong_answer,
)
from analysis.statistics.multilevel.meta_analysis import meta_analysis
from analysis.statistics.multilevel.mixed_model import Term, mixed_model
from analysis.statistics.resampling.bca import bca, correlations_of_counts, family_counts, left_out
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z
from analysis.statistics.resampling.permutation import permutation_test
from analysis.statistics.resampling.wild_bootstrap import wild_test

SEEDS = st.integers(0, 10_000)
several = settings(max_examples=25, deadline=None)


def sample(seed: int, *, families: int = 6, tie: float = 0.6) -> tuple[Any, Any, Families]:
    """Pairs of families of 1 to 5, alike within."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, families)
    labels = np.repeat([f"f{i}" for i in range(families)], sizes)
    shared = np.repeat(rng.normal(size=families), sizes)
    x = shared + rng.normal(size=len(labels))
    return x, tie * x + shared + rng.normal(size=len(labels)), Families.of(labels.tolist())


def renamed(families: Families) -> Families:
    return Families.of([f"z{9 - families.names.index(label)}" for label in families.labels])


def everything(x: Any, y: Any, families: Families) -> list[float]:
    """One number of each estimator that knows families."""
    found = correlate(x, y, families)
    within = within_between(x, y, families)
    rng = np.random.default_rng(0)
    return [
        found.estimate, found.interval.low, found.interval.high,
        within.between, within.within, wild_test(x, y, families, rng=rng).p,
        permutation_test(x, y, families, scheme="family signs", rng=rng).p,
    ]  # fmt: skip


@several
@given(SEEDS)
def test_names_of_families_order_of_pairs_and_scales_do_not_matter(seed: int) -> None:
    x, y, families = sample(seed)
    expected = everything(x, y, families)
    assert everything(x, y, renamed(families)) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert everything(3 * x - 1, 0.1 * y + 7, families) == pytest.approx(
        expected, abs=1e-9, nan_ok=True
    )
    order = np.random.default_rng(seed).permutation(len(x))
    moved = Families.of([families.labels[i] for i in order])
    assert everything(x[order], y[order], moved) == pytest.approx(expected, abs=1e-9, nan_ok=True)


@several
@given(SEEDS)
def test_resampled_correlations_are_those_of_the_resampled_pairs(seed: int) -> None:
    x, y, families = sample(seed)
    counts = family_counts(families, draws=5, rng=np.random.default_rng(seed))
    found = correlations_of_counts(np.stack([x, x**3]), np.stack([y, y]), families, counts)
    labels = np.asarray(families.labels)
    for row, draw in zip(found, counts, strict=True):
        times = [int(draw[families.names.index(label)]) for label in labels]
        chosen = np.repeat(np.arange(len(x)), times)
        for value, own in zip(row, (x, x**3), strict=True):
            if np.ptp(own[chosen]) > 0 and np.ptp(y[chosen]) > 0:
                assert value == pytest.approx(np.corrcoef(own[chosen], y[chosen])[0, 1], abs=1e-9)
            else:
                assert math.isnan(value)


@several
@given(SEEDS)
def test_the_fast_jackknife_is_the_slow_one(seed: int) -> None:
    x, y, families = sample(seed)
    slow = family_jackknife(lambda rest: fisher_z(np.corrcoef(x[rest], y[rest])[0, 1]), families)
    fast = np.arctanh(left_out(x, y, families)[:, 0])
    assert slow.replicates[:, 0] == pytest.approx(fast, abs=1e-9)
    interval, p, note = slow.interval(fisher=True)
    found = correlate(x, y, families)
    assert (interval.low, interval.high, p) == pytest.approx(
        (found.interval.low, found.interval.high, found.jackknife_p), abs=1e-9
    )
    assert note == found.note


def test_families_of_one_are_the_ordinary_jackknife() -> None:
    x, y, _ = sample(4)
    alone = Families.of(list(range(len(x))))
    n = len(x)
    found = family_jackknife(lambda rest: float(np.mean(x[rest])), alone)
    assert float(found.covariance[0, 0]) == pytest.approx(x.var(ddof=1) / n)
    of_y = family_jackknife(lambda rest: [np.mean(x[rest]), np.mean(y[rest])], alone)
    assert of_y.covariance[0, 1] == pytest.approx(np.cov(x, y)[0, 1] / n)


def test_bca_with_families_of_one_is_scipys() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    ours = bca(x, y, Families.of(list(range(30))), rng=np.random.default_rng(0), draws=40_000)
    theirs = stats.bootstrap(
        (x, y), lambda a, b: np.corrcoef(a, b)[0, 1], paired=True, vectorized=False,
        n_resamples=20_000, method="BCa", rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


# p by sign vectors and permutations.


def test_the_smallest_attainable_p_is_attained_and_said() -> None:
    x = np.arange(10.0)
    families = Families.of("aabbccddee")
    found = wild_test(x, x + np.tile([0.01, -0.01], 5), families, rng=np.random.default_rng(0))
    assert found.enumerated
    assert found.draws == 32
    assert found.p == found.smallest_p == 2 / 32


def test_wild_p_does_not_need_rng_up_to_twelve_families_and_is_near_its_limit_beyond() -> None:
    x, y, families = sample(8, families=12, tie=0.0)
    whole = wild_test(x, y, families, rng=np.random.default_rng(0)).p
    assert wild_test(x, y, families, rng=np.random.default_rng(1)).p == whole
    x, y, families = sample(8, families=13, tie=0.0)
    ps = [wild_test(x, y, families, rng=np.random.default_rng(i)).p for i in range(2)]
    assert ps[0] == pytest.approx(ps[1], abs=0.02)


def test_family_means_are_permuted_in_all_ways() -> None:
    x, y, families = sample(3, families=4)
    found = permutation_test(x, y, families, scheme="family means", rng=np.random.default_rng(0))
    assert found.enumerated
    assert found.rearrangements == 24
    assert (found.p * 24) % 1 == pytest.approx(0, abs=1e-9)


def test_shuffling_within_families_is_blind_to_what_lies_between() -> None:
    rng = np.random.default_rng(0)
    families = Families.of(np.repeat(list("abcdefghij"), 4).tolist())
    level = np.repeat(np.arange(10) * 10.0, 4)
    x, y = level + rng.normal(size=40), level + rng.normal(size=40)
    within = permutation_test(x, y, families, scheme="within families", rng=rng)
    means = permutation_test(x, y, families, scheme="family means", rng=rng)
    assert means.p < 0.03 < 0.05 < within.p


def test_constant_scores_have_no_p() -> None:
    x, _, families = sample(0)
    rng = np.random.default_rng(0)
    assert math.isnan(wild_test(np.ones_like(x), x, families, rng=rng).p)
    assert math.isnan(wild_test(x, np.ones_like(x), families, rng=rng).p)
    scheme = "family means"
    assert math.isnan(permutation_test(x, np.ones_like(x), families, scheme=scheme, rng=rng).p)


# Measurement error.


def items(seed: int, *, models: int = 40, n: int = 100, tie: float = 0.7) -> tuple[Any, Any]:
    """Right or wrong of base and tuned on the same items, some of which suit a model's quirks."""
    rng = np.random.default_rng(seed)
    true = rng.multivariate_normal([0, 0], [[1, tie], [tie, 1]], size=models)
    hard, quirks = rng.normal(size=n) * 2, rng.normal(size=(models, n)) * 0.8
    logits = [true[:, [i]] - hard + quirks for i in (0, 1)]
    x, y = (rng.random((models, n)) < 1 / (1 + np.exp(-logit)) for logit in logits)
    return x.astype(float), y.astype(float)


def test_corrections_bring_back_what_items_took() -> None:
    found = []
    for seed in range(60):
        x, y = items(seed)
        halves = by_halves(x, y, rng=np.random.default_rng(seed), splits=20)
        binomial = [np.mean(s.mean(1) * (1 - s.mean(1))) / s.shape[1] for s in (x, y)]
        measured = np.cov(x.mean(1), y.mean(1))
        too_much = of_covariances(measured, np.diag(binomial), len(x))
        moments = by_moments(x, y)
        found.append([moments.naive, moments.estimate, halves.estimate, too_much.estimate])
    naive, moments_, halves_, binomial_ = np.nanmedian(found, axis=0)
    assert naive < 0.68
    assert moments_ == pytest.approx(0.70, abs=0.04)
    assert halves_ == pytest.approx(moments_, abs=0.02)
    assert binomial_ > moments_ + 0.02


def test_halves_of_draws_take_the_noise_of_demonstrations_away() -> None:
    """True r .70; each draw of demonstrations moves a base by .7 of its standard deviation."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(80):
        true = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], size=120)
        noise = 0.7 * rng.normal(size=(120, 3, 1)) + 3 * rng.normal(size=(120, 3, 60))
        x = true[:, :1, None] + noise
        y = true[:, 1:, None] + 3 * rng.normal(size=(120, 1, 60))
        halves = half_scores(x, y, clusters=np.arange(60), splits=30, rng=rng)
        measured = np.cov(x.mean((1, 2)), y.mean((1, 2)))
        items_only = by_halves(x.mean(1), y[:, 0], rng=rng, splits=30)
        found.append([of_halves(halves, measured).estimate, items_only.estimate])
    both, of_items = np.nanmedian(found, axis=0)
    assert both == pytest.approx(0.70, abs=0.03)
    assert of_items < both - 0.02


def test_halves_never_part_a_passage() -> None:
    """Both items of a passage are answered alike: apart, they would vouch for each other."""
    rng = np.random.default_rng(1)
    luck = rng.normal(size=(12, 30))
    x = np.repeat(luck, 2, axis=1)[:, None]
    passages = np.repeat(np.arange(30), 2)
    halves = half_scores(x, x, clusters=passages, splits=200, rng=rng)
    total = halves.x.mean(1) - x.mean((1, 2))
    assert np.abs(total).max() < 1e-12  # halves of 15 passages each, disjoint and complete
    apart = half_scores(x, x, clusters=np.arange(60), splits=200, rng=rng)
    together, alone = (np.mean([np.cov(h.x[s])[0, 1] for s in range(200)]) for h in (halves, apart))
    assert together < alone
    with pytest.raises(ValueError, match="two clusters"):
        half_scores(x, x, clusters=np.zeros(60), splits=2, rng=rng)


def test_errors_that_leave_nothing_are_not_clipped() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.random((6, 30)) < 0.5).astype(float)
    found = by_moments(noise, noise[::-1])
    assert math.isnan(found.estimate)
    assert "not estimable" in found.note
    assert math.isfinite(found.naive)
    assert "not estimable" in found.sentence()


def test_likelihood_is_naive_without_errors_and_the_moments_with_equal_ones() -> None:
    x, y, _ = sample(5, families=12)
    none = np.zeros((len(x), 2, 2))
    r = np.corrcoef(x, y)[0, 1]
    assert by_likelihood(x, y, none).rho == pytest.approx(r, abs=1e-5)
    m = len(x)
    equal = np.diag([0.2, 0.3])
    fit = by_likelihood(x, y, np.repeat(equal[None], m, axis=0))
    measured = np.cov(x, y, ddof=0)
    assert fit.rho == pytest.approx(of_covariances(measured, equal, m).estimate, abs=1e-4)
    assert fit.slope == pytest.approx(measured[0, 1] / (measured[0, 0] - 0.2), abs=1e-3)


def test_identical_sides_have_identical_errors() -> None:
    x, _ = items(1)
    errors = error_covariance(x, x)
    assert errors[0, 0] == pytest.approx(errors[0, 1])
    assert by_moments(x, x).estimate == pytest.approx(1.0)


# The rest.


def test_partial_correlation_of_what_size_made() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    x, y = size + rng.normal(size=200) * 0.3, size + rng.normal(size=200) * 0.3
    assert np.corrcoef(x, y)[0, 1] > 0.85
    found = partial_correlation(x, y, size)
    assert found.low < 0 < found.high
    ranks = partial_correlation(np.exp(x), y, size, coefficient="spearman")
    assert ranks.estimate == pytest.approx(
        partial_correlation(x, y, size, coefficient="spearman").estimate
    )


def test_within_families_needs_families_of_two() -> None:
    x, y, _ = sample(1)
    found = within_between(x, y, Families.of(list(range(len(x)))))
    assert math.isnan(found.within)
    assert found.n_within == 0
    assert found.between == pytest.approx(found.pooled)


def test_equivalence_is_the_interval_within_the_bound() -> None:
    for r in (0.0, 0.1, 0.25, -0.2):
        found = equivalence(r, bound=0.3, n=60)
        assert (found.p < 0.05) == (found.low > -0.3 and found.high < 0.3)
    assert equivalence(0.0, bound=0.3, n=30).smallest_bound == pytest.approx(
        math.tanh(1.644854 / math.sqrt(27))
    )
    families = equivalence(0.0, bound=0.3, error=0.1, n_families=8)
    assert families.smallest_bound == pytest.approx(math.tanh(stats.t.ppf(0.95, 7) * 0.1))
    with pytest.raises(ValueError, match="bound"):
        equivalence(0.1, bound=1.2, n=30)


def test_dependent_estimates_make_a_mean_less_sure() -> None:
    z, v = np.array([0.5, 0.6, 0.7, 0.55]), 0.04
    alone = meta_analysis(z, np.full(4, v), test="z")
    together = meta_analysis(z, v * (0.2 * np.eye(4) + 0.8), test="z")
    assert together.errors[0] > 1.5 * alone.errors[0]
    assert alone.coefficients[0] == pytest.approx(together.coefficients[0])


def test_known_variances_are_heeded_by_the_mixed_model() -> None:
    rng = np.random.default_rng(0)
    known = rng.uniform(0.5, 2.0, size=40)
    y = rng.normal(size=40) * np.sqrt(known) + 3
    alone = mixed_model(y, {"constant": 1.0}, {}, known=known, residual=False)
    weights = 1 / known
    assert alone.coefficients[0] == pytest.approx(float(weights @ y / weights.sum()))
    assert alone.errors[0] == pytest.approx(float(weights.sum() ** -0.5))
    study = list(range(40))
    random = mixed_model(y, {"constant": 1.0}, {"study": Term(study)}, known=known, residual=False)
    reml = meta_analysis(y, known, test="z")
    assert random.deviations["study"] ** 2 == pytest.approx(reml.tau2, abs=1e-4)


@several
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_agreement(pairs: list[tuple[bool, bool]]) -> None:
    base, tuned = np.array(pairs, dtype=float).T
    found = agreement(base, tuned)
    if math.isnan(found.kappa):
        assert base.mean() == tuned.mean()
        assert base.mean() in (0, 1)
    else:
        assert found.kappa_least - 1e-12 <= found.kappa <= found.kappa_most + 1e-12
        assert error_consistency(tuned, base) == pytest.approx(found.kappa)
    assert found.gained - found.lost == pytest.approx(tuned.mean() - base.mean())
    assert math.isnan(found.base_given_tuned) == (tuned.sum() == 0)
    assert only_tuned(tuned, base) == pytest.approx(found.gained)
    assert only_tuned(tuned, [base, tuned]) == 0


def test_wrong_answers_and_paired_tests() -> None:
    base, tuned = [0, 0, 1, 0], [0, 0, 1, 1]
    assert same_wrong_answer(base, tuned, [1, 2, 0, 3], [1, 3, 0, 0]) == 0.5
    assert math.isnan(same_wrong_answer([1], [1], [0], [0]))
    assert math.isnan(mcnemar_p(base, base))
    assert mcnemar_p([0] * 8 + [1], [1] * 8 + [0]) == pytest.approx(2 * 10 / 512)
    with pytest.raises(ValueError, match=r"item 1 has 0\.5"):
        agreement([0, 0.5], [0, 1])


def test_duplicated_items_in_their_clusters_change_nothing_but_items_alone_grow_sure() -> None:
    rng = np.random.default_rng(0)
    scores = (rng.random(40) < 0.6).astype(float)
    twice = np.repeat(scores, 4)

    def width(values: Any, clusters: Any) -> float:
        found = over_items(
            lambda chosen: float(values[chosen].mean()), len(values),
            rng=np.random.default_rng(1), clusters=clusters,
        )  # fmt: skip
        return found.high - found.low

    clustered = width(twice, np.repeat(np.arange(40), 4))
    assert clustered == pytest.approx(width(scores, None), rel=0.1)
    assert width(twice, None) < 0.7 * clustered
