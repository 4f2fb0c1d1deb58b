"""Training examples: numbers of tokens, rows that are too long, rows that training does not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.run import Run
from study.tuning.data.examples import TuningData, tuning_data, unseen_rows
from tests.study.tuning.small_studies import mixture_run, pools_of, the_recipe
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer

ALL = ["reverse", "first", "addition", "category"]


def data_of(run: Run, max_length: int) -> TuningData:
    tokenizer = small_tokenizer("zoo")
    rendering = rendered_from(tokenizer)
    return tuning_data(
        the_recipe(run), run.study, pools_of(run), tokenizer, rendering, max_length=max_length
    )


def test_equal_tokens_for_formats_of_different_length(tmp_path: Path) -> None:
    tokens = {}
    for format in ("flan", "samplegen"):
        mixture = {"sources": [{"zoo": ALL}], "tokens": 6000}
        data = data_of(mixture_run(tmp_path, mixture, format=format), 160)
        tokens[format] = data.tokens()["all"], len(data.rows)
    for total, _ in tokens.values():
        assert 6000 <= total < 6160
    assert tokens["flan"][1] > 2.5 * tokens["samplegen"][1]


def test_longer_rows_are_counted_whatever_happens_to_them(tmp_path: Path) -> None:
    long = {"sources": [{"zoo": ["lookup"], "context": 3}], "rows": 60}
    data = data_of(mixture_run(tmp_path, {**long, "longer": "truncate"}, loss="all"), 50)
    assert 0 < data.truncated <= 60
    assert max(len(example) for example in data.rows) == 50
    data = data_of(mixture_run(tmp_path, {**long, "longer": "drop"}), 58)
    assert sum(data.dropped.values()) + len(data.rows) == 60
    assert 0 < len(data.rows) < 60
    with pytest.raises(StudyError, match="expected 50 at most"):
        data_of(mixture_run(tmp_path, long), 50)


def test_unseen_rows_are_of_the_same_mixture(tmp_path: Path) -> None:
    run = mixture_run(tmp_path, {"sources": [{"zoo": ALL}], "rows": 200})
    recipe, pools, tokenizer = the_recipe(run), pools_of(run), small_tokenizer("zoo")
    unseen = unseen_rows(
        recipe,
        run.study,
        pools,
        tokenizer,
        rendered_from(tokenizer),
        rows=100,
        max_length=160,
        device="cpu",
    )
    training = data_of(run, 160)
    assert len(unseen) == 100
    assert training.sources == dict.fromkeys(training.sources, 50)
    texts = [{tuple(example.encoded.ids) for example in rows} for rows in (unseen, training.rows)]
    assert len(texts[0] - texts[1]) > 90
    assert data_of(run, 160).digest() == training.digest()
