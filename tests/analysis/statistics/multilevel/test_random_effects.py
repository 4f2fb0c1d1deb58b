"""Products with the columns of random effects are those of the matrices written out."""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse

from analysis.statistics.multilevel.random_effects import EffectMatrix, RandomEffects


def test_products_are_those_of_whole_matrices() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(30, 8)) * (rng.random((30, 8)) < 0.4)
    effects = EffectMatrix(sparse.csr_array(columns), (RandomEffects(3, 2), RandomEffects(2, 1)))
    weights = rng.uniform(0.5, 2.0, 30)
    heavy = effects.weighted(weights)
    np.testing.assert_array_equal(heavy.toarray(), columns * weights[:, None])
    gram = effects.gram(heavy, effects.z)
    np.testing.assert_allclose(gram, (columns * weights[:, None]).T @ columns, atol=1e-12)
    square = effects.gram(heavy, heavy)
    np.testing.assert_allclose(square, (columns * weights[:, None] ** 2).T @ columns, atol=1e-12)


def test_factors_are_repeated_for_the_levels_of_their_block() -> None:
    effects = EffectMatrix(sparse.csr_array((4, 8)), (RandomEffects(3, 2), RandomEffects(2, 1)))
    triangle = np.array([[1.0, 0.0], [2.0, 3.0]])
    expected = linalg.block_diag(*[triangle] * 3, 4.0, 4.0)
    # What follows the factors in the parameters, the residual, is not theirs.
    np.testing.assert_array_equal(effects.factor(np.array([1.0, 2, 3, 4, 5])), expected)
    assert effects.collect(expected).tolist() == [3, 6, 9, 8]


def test_no_random_effects_have_empty_products() -> None:
    effects = EffectMatrix(sparse.csr_array((4, 0)), ())
    assert effects.factor(np.array([5.0])).shape == (0, 0)
    assert effects.gram(effects.z, effects.z).shape == (0, 0)
    assert effects.collect(np.zeros((0, 0))).tolist() == []
