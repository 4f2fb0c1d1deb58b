"""What entries and items of tasks are derived from, and items as JSON."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from study.tasks.lm_eval import item_cache
from study.tasks.lm_eval.entry import TaskEntry
from study.tasks.lm_eval.item_cache import TaskSources, items_as_json, items_from_json
from study.tasks.lm_eval.library import TaskLibrary
from study.zoo import TASKS

NAME = "zoo_colour_mc"


@pytest.fixture
def zoo_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the zoo's tasks in their place."""
    folder = tmp_path / "zoo"
    shutil.copytree(TASKS, folder)
    monkeypatch.setattr(item_cache, "TASKS", folder)
    return folder


@pytest.mark.parametrize("name", [f"{NAME}.yaml", "data.py", "items/colour.jsonl"])
def test_every_file_of_the_zoo_is_part_of_the_sources(name: str, zoo_tasks: Path) -> None:
    before = TaskSources(()).items(TaskEntry(NAME, {}))
    assert before.digest is not None
    assert zoo_tasks / name in before.files
    content = (zoo_tasks / name).read_bytes()
    (zoo_tasks / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    after = TaskSources(()).items(TaskEntry(NAME, {}))
    assert after.digest not in (None, before.digest)
    assert TaskSources(()).entry("zoo_home_mc").digest not in (None, after.digest)


def test_only_the_tasks_of_the_zoo_and_of_folders_are_known(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("task: own\n")
    sources = TaskSources((tmp_path,))
    assert sources.entry(NAME).digest
    assert sources.entry("own").digest
    assert sources.entry("hellaswag").digest is None
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert TaskSources((tmp_path,)).entry(NAME).digest is None, "a file that is no text"


@pytest.mark.parametrize(
    ("config", "known"),
    [
        ({"dataset_path": "json", "dataset_kwargs": {"data_files": "DATA"}}, True),
        ({"dataset_path": "csv", "dataset_kwargs": {"data_files": {"test": ["DATA"]}}}, True),
        ({"dataset_path": "json", "dataset_kwargs": {"data_files": "*.json"}}, False),
        ({"dataset_path": "json", "dataset_kwargs": {"data_files": "https://host/a"}}, False),
        ({"dataset_path": "json", "dataset_kwargs": {"data_files": ["DATA", 1]}}, False),
        ({"dataset_path": "json", "dataset_kwargs": {"data_files": []}}, False),
        ({"dataset_path": "json", "dataset_kwargs": {"data_dir": "DATA"}}, False),
        ({"dataset_path": "json"}, False),
        ({"dataset_path": "org/hub", "dataset_kwargs": {"data_files": "DATA"}}, False),
    ],
)
def test_items_are_known_of_local_data_files(
    config: dict[str, Any], known: bool, tmp_path: Path
) -> None:
    data = tmp_path / "data.json"
    data.write_text("{}")
    config = json.loads(json.dumps(config).replace("DATA", str(data)))
    (tmp_path / "own.yaml").write_text("task: own\n")
    entry = TaskEntry("own", config, tmp_path / "own.yaml")
    sources = TaskSources((tmp_path,)).items(entry)
    assert (sources.digest is not None) == known
    if known:
        assert data in sources.files
        data.write_text("[]")
        assert TaskSources((tmp_path,)).items(entry).digest != sources.digest


def test_items_are_the_same_after_a_round_trip(library: TaskLibrary) -> None:
    _, items = library.load_items(NAME, "study.yaml")
    content = items_as_json(items)
    assert content is not None
    assert items_from_json(json.loads(json.dumps(content))) == items


@pytest.mark.parametrize("value", [(1, 2), b"bytes", {1: "a"}, {"a": {2}}, object()])
def test_documents_that_json_would_change_are_not_cached(library: TaskLibrary, value: Any) -> None:
    _, items = library.load_items(NAME, "study.yaml")
    document = dataclasses.replace(items.items[0], raw={**items.items[0].raw, "more": value})
    changed = dataclasses.replace(items, items=(document, *items.items[1:]))
    assert items_as_json(changed) is None
