"""Training a member: the first losses of a rebuild are those of the shipped weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from study.zoo.build import built_members
from study.zoo.members import MEMBERS
from study.zoo.training import pretrain, recipe_digest


@pytest.fixture
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
def test_a_few_steps_of_a_rebuild_fall_and_give_the_shipped_losses() -> None:
    """The first losses of a rebuild are those listed with the shipped weights."""
    record = next(r for r in built_members() if r["member"] == "llama-early-xs")
    recipe = MEMBERS["llama-early-xs"].recipe
    _, losses = pretrain(recipe, stop_after=len(record["first_losses"]))
    assert losses == pytest.approx(record["first_losses"], rel=1e-3)
    assert losses[-1] < losses[0] - 0.05
    _, others = pretrain(dataclasses.replace(recipe, corpus_seed=99), stop_after=5)
    assert others != pytest.approx(record["first_losses"][:5], rel=1e-3)


def test_the_digest_follows_recipe_and_data() -> None:
    member = MEMBERS["llama-early-xs"]
    changed = [
        dataclasses.replace(member, learned=member.learned[1:]),
        dataclasses.replace(member, recipe=dataclasses.replace(member.recipe, steps=7)),
        dataclasses.replace(member, recipe=dataclasses.replace(member.recipe, without="home")),
    ]
    assert len({recipe_digest(each) for each in (member, *changed)}) == 4
