"""Label weights are what the table of masks says."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from study.config.tuning.methods import LabelMask, Loss
from study.tuning.data.label_weights import LABEL_MASKS, label_weights
from study.tuning.data.rendering import INSTRUCTION, OUTPUT, TEMPLATE, encode
from study.tuning.data.sources import Turn
from tests.study.tuning.conversations import conversations
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer, tokenizer_with


def test_every_mask_is_registered() -> None:
    assert set(LABEL_MASKS) == set(get_args(LabelMask))


@settings(max_examples=80, deadline=None)
@given(turns=conversations(), cut=st.integers(2, 60), weight=st.floats(0, 3))
def test_weights_partition_the_sequence(turns: tuple[Turn, ...], cut: int, weight: float) -> None:
    tokenizer = tokenizer_with("bytes", "tulu")
    row = encode(turns, tokenizer, rendered_from(tokenizer)).truncated(cut)
    later = np.arange(len(row.ids)) > 0

    def numerator(**how: Any) -> np.ndarray:
        return label_weights(row, Loss(**how))[0]

    output, both = numerator(over="output"), numerator(over="instruction_and_output")
    every = numerator(over="all")
    assert (output == ((row.kinds == OUTPUT) & later)).all()
    assert (both - output == ((row.kinds == INSTRUCTION) & later)).all()
    assert (every - both == ((row.kinds == TEMPLATE) & later)).all()
    assert (every == later).all()
    weighted = label_weights(row, Loss(over="weighted", instruction_weight=weight))
    np.testing.assert_allclose(weighted[0], output + np.float32(weight) * (both - output))
    assert (weighted[1] == output).all()
    diluted = label_weights(row, Loss(over="output_diluted"))
    assert (diluted[0] == output).all()
    assert (diluted[1] == both).all()


def test_weight_zero_is_instruction_tuning() -> None:
    tokenizer = tokenizer_with("bytes", "tulu")
    turns = (Turn("user", "the fox"), Turn("assistant", "jumps"))
    row = encode(turns, tokenizer, rendered_from(tokenizer))
    none = label_weights(row, Loss(over="weighted", instruction_weight=0))
    for mine, theirs in zip(none, label_weights(row, Loss(over="output")), strict=True):
        assert (mine == theirs).all()


def test_emphasis_multiplies_the_weights_of_turns() -> None:
    turns = (Turn("user", "a b"), Turn("assistant", "b"))
    row = encode(turns, small_tokenizer("zoo"), rendered_from(small_tokenizer("zoo")))
    plain = label_weights(row, Loss())
    for weight, unweighted in zip(label_weights(row, Loss(), np.array([5, 3])), plain, strict=True):
        np.testing.assert_allclose(weight, unweighted * np.where(row.turns == 1, 3, 1))
