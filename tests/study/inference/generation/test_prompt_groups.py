"""Prompts are grouped by common prefixes, and every prompt keeps a token after its prefix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from study.inference.generation.prompt_groups import MIN_GROUP, group_prompts

Prompts = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=30)


@given(Prompts)
def test_groups_are_a_partition_with_common_prefixes(prompts: list[list[int]]) -> None:
    arrays = [np.array(prompt) for prompt in prompts]
    groups = list(group_prompts(arrays))
    indices = [index for group in groups for index in group.prompts]
    assert sorted(indices) == list(range(len(prompts)))
    for group in groups:
        members = [prompts[index] for index in group.prompts]
        assert len({tuple(member[: group.prefix_length]) for member in members}) == 1
        assert group.prefix_length < min(map(len, members))


def test_a_short_prefix_starts_a_new_group() -> None:
    long = [np.array([1] * 20 + [i]) for i in range(MIN_GROUP)]
    other = [np.array([2, 3])]
    groups = list(group_prompts([*long, *other]))
    assert [(len(group.prompts), group.prefix_length) for group in groups] == [(8, 20), (1, 1)]


def test_few_prompts_stay_in_one_group() -> None:
    groups = list(group_prompts([np.array([1, 1, 1, 4]), np.array([1, 2])]))
    assert [(group.prompts, group.prefix_length) for group in groups] == [((0, 1), 1)]
