"""Any set of log-likelihood requests, in any order, with any budget: the results of `hf`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.study.inference.small_models import (
    PACKED,
    PLAIN,
    WINDOWED_LENGTH,
    Answers,
    Contexts,
    Texts,
    assert_same_scores,
    build_model,
    lm_requests,
    shared_prefix_and_hf,
    sixty_examples,
    windowed_pair,
    with_budget,
)


@sixty_examples
@given(Contexts, Answers, st.integers(1, 80), st.integers(1, 40), st.integers(1, 80), st.data())
def test_choices(
    contexts: list[str], answers: list[str], tokens: int, rows: int, block: int, data: Any
) -> None:
    ours, theirs = windowed_pair()
    pairs = [
        (c, a) for c in contexts for a in answers if len(ours.tok_encode(c + a)) < WINDOWED_LENGTH
    ]
    pairs += [("then " * 30, a) for a in answers if len(a) < 50]  # longer than the context window
    # A tokenizer may merge an answer into its context: then there is nothing to score.
    pairs = [(c, a) for c, a in pairs if not c or ours._encode_pair(c, a)[1]]
    pairs += pairs[:1]
    pairs = data.draw(st.permutations(pairs))
    requests = lm_requests("loglikelihood", pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.inference.loglikelihood.BLOCK_SIZE", block)
        scores = with_budget(ours, tokens, rows).loglikelihood(requests)
    assert_same_scores(scores, theirs.loglikelihood(requests, disable_tqdm=True))


@sixty_examples
@given(st.lists(st.tuples(Texts, st.integers(1, 12)), min_size=1, max_size=4), st.integers(1, 80))
def test_whole_texts(parts: list[tuple[str, int]], tokens: int) -> None:
    ours, theirs = windowed_pair()
    requests = lm_requests("loglikelihood_rolling", [("a" + text * n,) for text, n in parts])
    totals = with_budget(ours, tokens, 17).loglikelihood_rolling(requests)
    assert totals == pytest.approx(
        theirs.loglikelihood_rolling(requests, disable_tqdm=True), abs=1e-3, rel=1e-6
    )


def test_an_answer_without_tokens_is_an_error() -> None:
    ours, _ = windowed_pair()
    assert ours.tok_encode("ba") == [*ours.tok_encode(""), *ours.tok_encode("ba")[-1:]]
    with pytest.raises(ValueError, match=r"cannot score an answer of 0 tokens.*'b', 'a'"):
        ours.loglikelihood(lm_requests("loglikelihood", [("b", "a")]))


PAIRS = [
    ("the bath ", "in an inn"),  # the trailing space is scored with the continuation
    ("a", "b a"),  # "ab" is one token: only " a" is scored
    ("", " the rather"),
    ("", "<bos>the"),  # the prefix token is the context
    ("then " * 30, " than"),  # longer than the context window
]


@pytest.mark.parametrize("name", ["llama", "mpt"])
def test_lengths_are_the_number_of_tokens_that_hf_scores(name: str) -> None:
    model = build_model(*(PACKED | PLAIN)[name])
    ours, theirs = shared_prefix_and_hf(model, max_length=WINDOWED_LENGTH)
    requests = lm_requests("loglikelihood", PAIRS)
    scored: list[int] = []
    theirs._loglikelihood_tokens = lambda encoded, **_: scored.extend(len(e[2]) for e in encoded)
    theirs.loglikelihood(requests, disable_tqdm=True)
    assert ours.continuation_lengths(requests) == scored
    assert scored[0] == 1 + len(ours.tok_encode("in an inn", add_special_tokens=False))
    assert scored[1] == 1
    assert scored[3] == len(ours.tok_encode("the", add_special_tokens=False))
    assert_same_scores(
        ours.loglikelihood(requests),
        shared_prefix_and_hf(model, max_length=WINDOWED_LENGTH)[1].loglikelihood(requests),
    )
