"""Items and pools of tasks as lm-eval renders them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from study.tasks.items import MAX_POOL, TaskItems, _evenly_spaced, task_items
from study.tasks.leakage import RESERVED_SHARE, normalised
from study.tasks.lm_eval.library import TaskLibrary


def _items(library: TaskLibrary, name: str) -> TaskItems:
    shares_split = library.entry(name, Path("study.yaml")).shares_split
    return task_items(library.load(name), name, shares_split=shares_split)


def test_documents_are_what_is_rendered(library: TaskLibrary) -> None:
    task = library.load("zoo_colour_mc")
    items = _items(library, "zoo_colour_mc")
    first = items.items[0]
    assert (first.text, first.choices) == (
        task.doc_to_text(first.raw),
        tuple(task.doc_to_choice(first.raw)),
    )
    assert first.target == str(first.raw["gold"])
    assert [item.index for item in items.items] == list(range(len(items.items)))
    assert (items.task, items.version) == ("zoo_colour_mc", "1.0")
    assert items.evaluated(3) == items.items[:3]
    assert items.evaluated(None) == items.items


def test_a_split_that_also_demonstrates_is_divided(small_library: TaskLibrary) -> None:
    entry = small_library.entry("shared", Path("study.yaml"))
    assert entry.demonstrates_itself
    items = _items(small_library, "shared")
    assert items.reserved
    assert len(items.pool) == RESERVED_SHARE * 60
    evaluated, pool = ({d.text for d in documents} for documents in (items.items, items.pool))
    assert not evaluated & pool
    assert len(evaluated | pool) == 60


def test_documents_with_the_text_of_an_item_leave_the_pool(small_library: TaskLibrary) -> None:
    assert normalised("IS 9,  good") == normalised("  is 9 GOOD?") == "is 9 good"
    items = _items(small_library, "leaky")
    evaluated = {normalised(document.text) for document in items.items}
    assert items.removed == 13
    assert not evaluated & {normalised(document.text) for document in items.pool}
    assert len(items.pool) == 7
    assert not items.reserved


def test_the_digest_covers_the_items(library: TaskLibrary, small_library: TaskLibrary) -> None:
    digests = {
        _items(source, name).digest
        for source, name in (
            (library, "zoo_colour_mc"),
            (library, "zoo_reverse_mc"),
            (small_library, "leaky"),
            (small_library, "shared"),
        )
    }
    assert len(digests) == 4
    assert _items(library, "zoo_colour_mc").digest in digests


@pytest.mark.parametrize("size", [0, 1, MAX_POOL, MAX_POOL + 1, 3 * MAX_POOL - 1])
def test_large_pools_are_thinned_evenly(size: int) -> None:
    documents = [{"index": index} for index in range(size)]
    thinned = _evenly_spaced(documents)
    assert len(thinned) <= MAX_POOL
    steps = {later["index"] - earlier["index"] for earlier, later in pairwise(thinned)}
    assert len(steps) <= 1
    assert size <= MAX_POOL or len(thinned) > MAX_POOL / 2
