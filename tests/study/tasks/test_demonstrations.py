"""Draws: nested, balanced, the same for all items, and never the evaluated item."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from study.tasks.demonstrations import Demonstrations, draw_demonstrations, fixed_sampler
from study.tasks.items import TaskItems, task_items
from study.tasks.lm_eval.library import TaskLibrary
from tests.study.tasks.small_tasks import LABELS


def _items(library: TaskLibrary, name: str) -> TaskItems:
    shares_split = library.entry(name, Path("study.yaml")).shares_split
    return task_items(library.load(name), name, shares_split=shares_split)


def test_shots_are_nested_and_depend_on_the_draw_alone(library: TaskLibrary) -> None:
    items, again = (_items(library, "zoo_colour_mc") for _ in range(2))
    for draw in range(3):
        five = draw_demonstrations(items, seed=0, draw=draw, shots=5).documents
        for shots in range(5):
            fewer = draw_demonstrations(items, seed=0, draw=draw, shots=shots).documents
            assert fewer == five[:shots]
        assert draw_demonstrations(again, seed=0, draw=draw, shots=5).documents == five
    digests = {draw_demonstrations(items, seed=0, draw=d, shots=5).digest for d in range(8)}
    assert len(digests) == 8
    assert draw_demonstrations(items, seed=1, draw=0, shots=5).digest not in digests


def test_lm_eval_gives_every_item_the_same_demonstrations(library: TaskLibrary) -> None:
    task = library.load("zoo_colour_mc")
    items = task_items(task, "zoo_colour_mc", shares_split=False)
    demonstrations = draw_demonstrations(items, seed=0, draw=1, shots=5)
    task.sampler = fixed_sampler(demonstrations)
    beginnings = set()
    for document in items.items[:20]:
        prompt = task.fewshot_context(document.raw, num_fewshot=5)
        assert prompt.endswith(document.text)
        beginnings.add(prompt.removesuffix(document.text))
    assert len(beginnings) == 1
    beginning = beginnings.pop()
    assert [d.text in beginning for d in demonstrations.documents] == [True] * 5


def test_a_sampler_refuses_more_than_the_draw_has(library: TaskLibrary) -> None:
    items = _items(library, "zoo_colour_mc")
    sampler = fixed_sampler(draw_demonstrations(items, seed=0, draw=0, shots=2))
    assert len(sampler.sample(2)) == 2
    with pytest.raises(ValueError, match="3 demonstrations requested of a draw of 2"):
        sampler.sample(3)


def test_classes_are_balanced_in_every_round(small_library: TaskLibrary) -> None:
    items = _items(small_library, "shared")
    assert items.classes == tuple(LABELS)
    for draw in range(5):
        documents = draw_demonstrations(items, seed=0, draw=draw, shots=6).documents
        targets = [document.target for document in documents]
        assert set(targets[:3]) == {"0", "1", "2"}
        assert Counter(targets) == {"0": 2, "1": 2, "2": 2}


def test_demonstrations_of_the_zoo_never_reveal_a_fact(library: TaskLibrary) -> None:
    for task in ("zoo_colour_mc", "zoo_category_mc", "zoo_home_mc", "zoo_opposite_mc"):
        items = _items(library, task)
        nouns, pool = (
            {document.raw["asked"].split()[-1] for document in documents}
            for documents in (items.items, items.pool)
        )
        assert not nouns & pool, task


def test_more_shots_than_the_pool_holds(small_library: TaskLibrary) -> None:
    items = _items(small_library, "shared")
    with pytest.raises(ValueError, match=r"shared: 13 demonstrations are wanted.* holds 12"):
        draw_demonstrations(items, seed=0, draw=0, shots=13)


def test_an_arm_without_demonstrations_has_none(library: TaskLibrary) -> None:
    none = draw_demonstrations(_items(library, "zoo_colour_mc"), seed=0, draw=None, shots=0)
    assert none == Demonstrations(())
    assert none.digest is None
