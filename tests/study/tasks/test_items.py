"""Items and pools of tasks as lm-eval renders them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from study.planning.cost.workload import WorkCounter
from study.tasks.items import MAX_POOL, TaskItems, _evenly_spaced, task_items
from study.tasks.leakage import RESERVED_SHARE, normalised
from study.tasks.lm_eval.library import TaskLibrary
from tests.conftest import MakeRun
from tests.in_process import evaluate_all, plan


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


TWINS = """
import datasets

def load(**_):
    texts = [f"is {i} good?" for i in range(40)] + [f"IS {i}, good" for i in range(20)]
    rows = [{"text": text, "label": 0} for text in texts]
    return datasets.DatasetDict(test=datasets.Dataset.from_list(rows))
"""
"Forty questions, half of them in a second spelling."


def test_no_reserved_demonstration_has_the_text_of_an_item(tmp_path: Path) -> None:
    (tmp_path / "twins.py").write_text(TWINS)
    (tmp_path / "twins.yaml").write_text(
        "task: twins\ncustom_dataset: !function twins.load\ntest_split: test\n"
        "output_type: multiple_choice\ndoc_to_text: text\ndoc_to_choice: ['yes', 'no']\n"
        "doc_to_target: label\n"
    )
    library = TaskLibrary((tmp_path,))
    _, items = library.load_items("twins", tmp_path)
    evaluated = [normalised(item.text) for item in items.items]
    assert items.reserved
    assert items.pool
    assert not {normalised(document.text) for document in items.pool} & set(evaluated)
    assert items.removed > 0


ONE_TASK = {
    "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}],
    "tasks": {"suite": "zoo_mc", "only": ["zoo_colour_mc"]},
    "draws": 1,
}


def test_the_first_items_are_evaluated(make_run: MakeRun) -> None:
    """What is planned, keyed and scored are the items up to the limit, no more and no fewer."""
    keys = set()
    for limit in (1, 7):
        folder = make_run(f"limit{limit}", **ONE_TASK, limit=limit)
        planned = plan(folder)
        cells = [cell for job in planned.plan.jobs for cell in job.cells]
        work = WorkCounter(planned.resolved)
        assert [work.work(cell, 1.0).items for cell in cells] == [limit] * len(cells)
        run = evaluate_all(folder)
        for cell in cells:
            assert run.cells.items(str(cell.key))["item"].to_pylist() == list(range(limit))
        keys |= {cell.key for cell in cells}
    assert len(keys) == 2 * len(cells)


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
