"""Which turns are marked, and what marks do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.config.tuning.methods import Indicator, Loss
from study.errors import StudyError
from study.results.run import Run
from study.tuning.data.label_weights import label_weights
from study.tuning.data.marking import choose_turns, mark_turns
from study.tuning.data.mixing import Row
from study.tuning.data.rendering import encode
from study.tuning.data.sources import Turn
from tests.study.tuning.small_studies import changed, pools_of, the_recipe, write_study
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer

SCORES = [{1: 0.9, 3: 0.2}, {1: 0.7}, {1: 0.1}, {1: 0.3}]


def rows() -> list[Row]:
    def turns(*texts: str) -> tuple[Turn, ...]:
        roles = ("user", "assistant") * 2
        return tuple(Turn(role, text) for role, text in zip(roles, texts, strict=False))

    return [
        Row("a", turns("a b", "c", "a", "b")),
        Row("a", turns("a b c", "c")),
        Row("b", turns("a b c d e f", "c")),
        Row("b", turns("a b c d e", "c")),
    ]


def indicator(**how: Any) -> Indicator:
    return Indicator(seed_model="zoo:llama-early-xs/tuned", marker="now", **how)


def test_a_score_above_the_threshold_is_marked() -> None:
    marking = choose_turns(indicator(marked="text"), rows(), SCORES, seed=0)
    turns, emphasis, marks = marking.apply(0, rows()[0])
    assert [turn.content for turn in turns] == ["a b now", "c", "a", "b"]
    assert emphasis is None
    assert marks == 1
    assert [marking.apply(i, row)[2] for i, row in enumerate(rows())] == [1, 1, 0, 0]
    assert marking.table().splitlines()[:2] == ["source,score,marked", "a,0.9,1"]


@pytest.mark.parametrize("choose", ["random", "length"])
def test_controls_mark_as_many_turns(choose: str) -> None:
    by_seed = {
        seed: tuple(
            choose_turns(indicator(choose=choose, marked="text"), rows(), SCORES, seed).apply(
                i, row
            )[2]
            for i, row in enumerate(rows())
        )
        for seed in range(20)
    }
    assert {sum(marks) for marks in by_seed.values()} == {2}
    if choose == "length":
        assert set(by_seed.values()) == {(0, 0, 1, 1)}
    else:
        assert len(set(by_seed.values())) > 2


@pytest.mark.parametrize("choose", ["random", "length"])
def test_rows_that_are_alike_are_marked_one_by_one(choose: str) -> None:
    alike = [rows()[0]] * 8
    scores = [{1: 0.9, 3: 0.2}] * 2 + [{1: 0.1, 3: 0.2}] * 6
    marking = choose_turns(indicator(choose=choose, marked="text"), alike, scores, seed=0)
    assert sum(marking.apply(i, row)[2] for i, row in enumerate(alike)) == 2


def test_upweighting_changes_weights_and_no_text() -> None:
    marking = choose_turns(indicator(marked="weight", weight=3), rows(), SCORES, seed=0)
    turns, emphasis, _ = marking.apply(0, rows()[0])
    assert turns == rows()[0].turns
    row = encode(turns, small_tokenizer("zoo"), rendered_from(small_tokenizer("zoo")))
    plain = label_weights(row, Loss())
    weighted = label_weights(row, Loss(), emphasis)
    factor = np.where(row.turns == 1, 3, 1)
    for weight, unweighted in zip(weighted, plain, strict=True):
        np.testing.assert_allclose(weight, unweighted * factor)


def indicator_run(folder: Path, **mixture: Any) -> Run:
    indicators = {"i": {"seed_model": "zoo:neox-late-xs/tuned", "threshold": 0.2}}
    tuning = changed(recipe={"indicator": "i"}, indicators=indicators, mixture=mixture)
    return Run.open(write_study(folder, tuning))


def test_rows_of_a_recipe_are_scored_by_its_seed_model(tmp_path: Path) -> None:
    run = indicator_run(tmp_path, rows=30)
    messages: list[str] = []
    marking = mark_turns(the_recipe(run), run.study, pools_of(run), "cpu", messages.append)
    assert marking is not None
    assert len(marking.chosen) == len(marking.scores) == 30
    assert 0 < sum(map(len, marking.chosen)) <= 30
    assert messages[-1] == "scored 30 of 30 conversations"
    plain = Run.open(write_study(tmp_path / "plain"))
    assert mark_turns(the_recipe(plain), plain.study, pools_of(plain), "cpu") is None


def test_marks_need_a_fixed_number_of_rows(tmp_path: Path) -> None:
    run = indicator_run(tmp_path, rows=None, tokens=900)
    with pytest.raises(
        StudyError, match=r"tuning.mixtures.three: found a number of tokens, and an"
    ):
        mark_turns(the_recipe(run), run.study, pools_of(run), "cpu")
