"""Any set of generation requests, with any budget: the texts of `hf`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.study.inference.small_models import (
    Contexts,
    lm_requests,
    sixty_examples,
    windowed_pair,
    with_budget,
)


@sixty_examples
@given(Contexts, st.integers(1, 80), st.integers(1, 9), st.integers(1, 20))
def test_generation(contexts: list[str], tokens: int, rows: int, max_new_tokens: int) -> None:
    ours, theirs = windowed_pair()
    arguments = {"until": ["in", "\n"], "max_gen_toks": max_new_tokens}
    requests = lm_requests("generate_until", [(context + "a", arguments) for context in contexts])
    responses = with_budget(ours, tokens, rows).generate_until(requests)
    assert responses == theirs.generate_until(requests, disable_tqdm=True)


def test_requests_with_different_arguments_keep_their_order() -> None:
    ours, theirs = windowed_pair()
    requests = lm_requests(
        "generate_until",
        [("the bath", {"until": [], "max_gen_toks": 3 + i % 2}) for i in range(4)],
    )
    responses = with_budget(ours, 40, 40).generate_until(requests)
    assert responses == theirs.generate_until(requests, disable_tqdm=True)
