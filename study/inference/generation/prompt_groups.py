"""Groups of prompts with a common prefix, whose keys and values each group caches once.

In: prompts as token arrays. Out: `PromptGroup`: indices of prompts and their common prefix length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from study.inference.prefix_tree import Ints, common_prefix_length

MIN_GROUP = 8
"""From this many prompts on, a group is closed rather than have its common prefix shrink to less
than half."""


@dataclass(frozen=True)
class PromptGroup:
    """Prompts that share their first `prefix_length` tokens."""

    prompts: tuple[int, ...]
    "Indices into the list of prompts."
    prefix_length: int
    "Less than the length of the shortest prompt, so that every prompt has a token of its own."


def group_prompts(prompts: list[Ints]) -> Iterator[PromptGroup]:
    """Divide prompts into groups with long common prefixes."""
    order = sorted(range(len(prompts)), key=lambda index: prompts[index].astype(">u4").tobytes())
    group: list[int] = []
    prefix_length = 0
    for index in order:
        longest = len(prompts[index]) - 1
        if group:
            common = common_prefix_length(prompts[group[-1]], prompts[index])
            shared = min(prefix_length, longest, common)
        else:
            shared = longest
        if len(group) >= MIN_GROUP and shared < prefix_length / 2:
            yield PromptGroup(tuple(group), prefix_length)
            group, shared = [], longest
        group.append(index)
        prefix_length = shared
    if group:
        yield PromptGroup(tuple(group), prefix_length)
