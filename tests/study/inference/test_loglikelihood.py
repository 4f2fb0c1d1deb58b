"""Log-probabilities of targets, and the tree of a call's requests."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from study.inference.loglikelihood import EncodedRequests, row_logprobs
from study.inference.vocabulary_head import Logits

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("chunk", [1, 3, 256])
@pytest.mark.parametrize("has_head", [True, False])
def test_row_logprobs(chunk: int, has_head: bool, device: str) -> None:
    generator = torch.Generator().manual_seed(0)
    head, hidden = torch.nn.Linear(5, 11), torch.randn(7, 5, generator=generator)
    logits = head(hidden).detach()
    rows, targets = np.array([0, 0, 3, 6, 6]), np.array([1, 2, int(logits[3].argmax()), 0, 10])
    projected = Logits(logits.to(device), None)
    if has_head:
        projected = Logits(hidden.to(device), head.to(device))
    parts = row_logprobs(projected, rows, targets, chunk)
    assert len(parts) == {1: 3, 3: 3, 256: 1}[chunk]
    expected = logits.log_softmax(-1)[rows, targets]
    actual = torch.cat([logprobs for logprobs, _ in parts]).cpu()
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=1e-6)
    is_greedy = torch.cat([flags for _, flags in parts]).tolist()
    assert is_greedy == (logits.argmax(-1)[rows].numpy() == targets).tolist()
    assert is_greedy[2]


def test_fewer_rows_are_projected_when_memory_runs_out() -> None:
    class Small(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            if len(hidden) > 2:
                raise torch.OutOfMemoryError("simulated")
            return super().forward(hidden)

    head, hidden = Small(5, 11), torch.randn(7, 5)
    parts = row_logprobs(Logits(hidden, head), np.arange(7), np.arange(7), 9)
    expected = torch.nn.functional.linear(hidden, head.weight, head.bias).log_softmax(-1)
    actual = torch.cat([logprobs for logprobs, _ in parts])
    torch.testing.assert_close(actual, expected.diagonal().detach())
    assert len(parts) == 4


def test_request_tree_truncates_from_the_left() -> None:
    encoded = EncodedRequests.of([([1, 2, 3, 4], [5, 6]), ([9], [7])])
    requests = encoded.tree(max_length=3)
    assert requests.targets.tolist() == [5, 6, 7]
    assert requests.starts.tolist() == [0, 2]
    # The window of the first request is 3 4 5, and 6 is only predicted.
    assert requests.tree.tokens[requests.nodes].tolist() == [4, 5, 9]
    assert sorted(requests.tree.tokens.tolist()) == [3, 4, 5, 9]


Pairs = st.lists(
    st.tuples(
        st.lists(st.integers(0, 2), min_size=1, max_size=6),
        st.lists(st.integers(0, 2), min_size=1, max_size=4),
    ),
    max_size=8,
)


@given(Pairs)
def test_requests_are_divided_where_they_were(pairs: list[tuple[list[int], list[int]]]) -> None:
    encoded = EncodedRequests.of(pairs)
    assert encoded.pairs() == pairs
    assert encoded.answer_lengths.tolist() == [len(answer) for _, answer in pairs]


def test_a_tree_is_built_once_for_each_length() -> None:
    encoded = EncodedRequests.of([([1, 2], [3]), ([1, 2], [4])])
    tree = encoded.tree(8)
    assert encoded.tree(8) is tree
    assert encoded.tree(1) is not tree


def test_a_request_without_tokens() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        EncodedRequests.of([([], [])])
