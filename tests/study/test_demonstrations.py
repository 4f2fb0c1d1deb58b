"""Draws: nested, balanced, shared by all items, and never the item asked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.tasks.demonstrations import demonstrations, fixed_sampler
from study.tasks.items import RESERVED_SHARE, TaskItems, normalised, task_items
from study.tasks.lm_eval_tasks import Harness

LABELS = ["yes", "no", "maybe"]

TASK_CODE = """
import datasets

def load(kind, **_):
    rows = [{"text": f"Is {i} good?", "label": i % 3} for i in range(60)]
    if kind == "leaky":
        rows[7]["text"] = "IS 9,  good"
        rows[8]["text"] = "  is 9 GOOD?"
        return datasets.DatasetDict(
            train=datasets.Dataset.from_list(rows[:20]), test=datasets.Dataset.from_list(rows[9:])
        )
    return datasets.DatasetDict(test=datasets.Dataset.from_list(rows))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lm-eval tasks: one that demonstrates itself, one whose training split leaks."""
    made = tmp_path_factory.mktemp("tasks")
    (made / "data.py").write_text(TASK_CODE)
    for kind, splits in (("leaky", {"training_split": "train"}), ("itself", {})):
        config: dict[str, Any] = {
            "task": kind,
            "output_type": "multiple_choice",
            **splits,
            "test_split": "test",
            "doc_to_text": "{{text}}",
            "doc_to_choice": LABELS,
            "doc_to_target": "label",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1.0, "kind": kind},
        }
        text = yaml.safe_dump(config) + "custom_dataset: !function data.load\n"
        (made / f"{kind}.yaml").write_text(text)
    return made


def items_of(folder: Path | None, name: str) -> TaskItems:
    harness = Harness((folder,) if folder else ())
    entry = harness.entry(name, Path("here"))
    return task_items(harness.load(name), name, shares_split=entry.shares_split)


def test_shots_are_nested_and_depend_on_the_draw_alone() -> None:
    items = items_of(None, "zoo_colour_mc")
    again = items_of(None, "zoo_colour_mc")
    for draw in range(3):
        five = demonstrations(items, seed=0, draw=draw, shots=5).documents
        for shots in range(5):
            fewer = demonstrations(items, seed=0, draw=draw, shots=shots).documents
            assert fewer == five[:shots]
        assert demonstrations(again, seed=0, draw=draw, shots=5).documents == five
    digests = {demonstrations(items, seed=0, draw=d, shots=5).digest for d in range(8)}
    assert len(digests) == 8
    other_seed = demonstrations(items, seed=1, draw=0, shots=5).digest
    assert other_seed not in digests


def test_every_item_gets_the_same_demonstrations_from_lm_eval() -> None:
    harness = Harness()
    task = harness.load("zoo_colour_mc")
    items = task_items(task, "zoo_colour_mc", shares_split=False)
    drawn = demonstrations(items, seed=0, draw=1, shots=5)
    task.sampler = fixed_sampler(drawn)
    beginnings = set()
    for document in items.items[:20]:
        prompt = task.fewshot_context(document.raw, num_fewshot=5)
        assert prompt.endswith(document.text)
        beginnings.add(prompt.removesuffix(document.text))
    assert len(beginnings) == 1
    shown = beginnings.pop()
    assert [d.text in shown for d in drawn.documents] == [True] * 5


def test_classes_are_balanced_in_every_round(folder: Path) -> None:
    items = items_of(folder, "itself")
    assert items.classes == tuple(LABELS)
    for draw in range(5):
        targets = [d.target for d in demonstrations(items, seed=0, draw=draw, shots=6).documents]
        assert set(targets[:3]) == {"0", "1", "2"}
        assert Counter(targets) == {"0": 2, "1": 2, "2": 2}


def test_a_task_that_would_demonstrate_itself_is_parted(folder: Path) -> None:
    entry = Harness((folder,)).entry("itself", Path("here"))
    assert entry.demonstrates_itself
    items = items_of(folder, "itself")
    assert items.separated
    assert len(items.pool) == RESERVED_SHARE * 60
    asked, shown = {d.text for d in items.items}, {d.text for d in items.pool}
    assert not asked & shown
    assert len(asked | shown) == 60


def test_documents_that_are_an_item_after_normalising_leave_the_pool(folder: Path) -> None:
    assert normalised("IS 9,  good") == normalised("  is 9 GOOD?") == "is 9 good"
    items = items_of(folder, "leaky")
    asked = {normalised(document.text) for document in items.items}
    assert items.removed == 13
    assert not asked & {normalised(document.text) for document in items.pool}
    assert len(items.pool) == 7


def test_zoo_pools_never_give_a_fact_away() -> None:
    for task in ("zoo_colour_mc", "zoo_category_mc", "zoo_home_mc", "zoo_opposite_mc"):
        items = items_of(None, task)
        nouns = {document.raw["asked"].split()[-1] for document in items.items}
        shown = {document.raw["asked"].split()[-1] for document in items.pool}
        assert not nouns & shown, task


def test_more_shots_than_the_pool_holds(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"itself: 13 demonstrations are wanted.* holds 12"):
        demonstrations(items_of(folder, "itself"), seed=0, draw=0, shots=13)
