"""A plan with cached facts is the plan without a cache, whatever changed in between.

Each change is as small as it can be: most files keep their size and the time of their modification.
The zoo's own files cannot be changed here; that they are part of the sources is tested in
tests/study/tasks/lm_eval/test_item_cache.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from study import fact_cache
from study.errors import StudyError
from study.models import tokenizers
from study.models.folders import loader
from study.models.pairs import zoo
from study.planning.ledger_rows import write_ledger
from study.planning.plan_report import plan_json
from study.tasks.lm_eval.library import TaskLibrary
from tests.in_process import plan

PAIR = zoo()[0]
ITEMS = [
    {"word": word, "gold": index % 2, "split": "train" if index < 4 else "test"}
    for index, word in enumerate("ant bee cat dog elk fox gnu hen owl pig".split())
]
TASK: dict[str, Any] = {
    "task": "own",
    "dataset_path": "json",
    "output_type": "multiple_choice",
    "training_split": "train",
    "test_split": "test",
    "fewshot_split": "train",
    "doc_to_text": "give the colour of {{word}} =",
    "doc_to_choice": ["red", "blue"],
    "doc_to_target": "gold",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
STUDY: dict[str, Any] = {
    "name": "cached",
    "pairs": [{"base": "models/base", "tuned": "models/tuned", "family": "f", "params_b": 0.00002}],
    "arms": ["base-2shot", "tuned-0shot-chat", "tuned-2shot-chat", "base-2shot-fields"],
    "tasks": [
        {"task": name, "task_type": "t", "metric": "acc", "chance": 0.5, "fields": {"q": field}}
        for name, field in (("own", "{{word}}"), ("zoo_colour_mc", "{{asked}}"))
    ],
    "task_folders": ["tasks"],
    "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    "draws": 2,
    "limit": 3,
}


def write(folder: Path) -> Path:
    for role in ("base", "tuned"):
        shutil.copytree(PAIR.member(role).path, folder / "models" / role)
    study = json.loads(json.dumps(STUDY))
    study["pairs"][0]["params_b"] = PAIR.params_b
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    (folder / "tasks").mkdir()
    files = {}
    for split in ("train", "test"):
        rows = [
            {k: v for k, v in item.items() if k != "split"}
            for item in ITEMS
            if item["split"] == split
        ]
        path = folder / "tasks" / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        files[split] = str(path)
    task = {**TASK, "dataset_kwargs": {"data_files": files}}
    (folder / "tasks" / "own.yaml").write_text(yaml.safe_dump(task))
    return folder


def planned(folder: Path) -> tuple[bytes, str]:
    """The ledger and the costs of a plan, as a new process would make it."""
    for memory in (tokenizers._templates, tokenizers._counts, loader._loadable):
        memory.clear()
    tokenizers.cached_tokenizer.cache_clear()
    tokenizers.template_tokens.cache_clear()
    study = plan(folder)
    write_ledger(study.resolved, study.plan)
    return study.resolved.run.ledger_file.read_bytes(), json.dumps(plan_json(study))


@pytest.fixture
def without_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    def make(folder: Path) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(fact_cache, "_environment", lambda: None)
            return planned(folder)

    return make


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, in which what is derived from files of this test is kept."""
    monkeypatch.setenv(fact_cache.LOCATION, str(tmp_path_factory.mktemp("facts")))
    monkeypatch.setattr(fact_cache, "_started", sys.maxsize)


def in_place(name: str, before: str, after: str) -> Callable[[Path], None]:
    """Replace text in a file, which keeps its size, and its time unless it is a data file: the
    datasets library goes by that."""
    assert len(before) == len(after)

    def change(folder: Path) -> None:
        path = folder / name
        stat = path.stat()
        text = path.read_text()
        assert before in text, name
        path.write_text(text.replace(before, after, 1))
        if path.suffix != ".jsonl":
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    return change


def swapped_words(folder: Path) -> None:
    path = folder / "models" / "base" / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["red"], vocabulary["blue"] = vocabulary["blue"], vocabulary["red"]
    path.write_text(json.dumps(content))


def new_file(name: str, text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_text(text)


WITHOUT_EFFECT = {"another task file"}
CHANGES: dict[str, Callable[[Path], Any]] = {
    "an item": in_place("tasks/test.jsonl", "elk", "elf"),
    "a field that is not rendered": in_place("tasks/test.jsonl", '"gold": 0', '"gold": 1'),
    "a demonstration": in_place("tasks/train.jsonl", "bee", "bat"),
    "the question": in_place("tasks/own.yaml", "colour of", "colors of"),
    "the choices": in_place("tasks/own.yaml", "- blue", "- grey"),
    "the aggregation": in_place("tasks/own.yaml", "aggregation: mean", "aggregation: none"),
    "a task file in the place of the zoo's": new_file(
        "tasks/zoo_colour_mc.yaml",
        "task: zoo_colour_mc\ninclude: own.yaml\ndescription: 'give the colour'\n",
    ),
    "another task file": new_file("tasks/other.yaml", "task: other\ndataset_path: json\n"),
    "a word of the tokenizer": swapped_words,
    "the configuration of the base model": in_place(
        "models/base/config.json", '"model_type"', '"model_tyqe"'
    ),
    "the context window": in_place(
        "models/base/config.json", 'embeddings": 160', 'embeddings":  20'
    ),
    "generation_config.json": in_place("models/tuned/generation_config.json", "eos", "foo"),
    "a file that may be read": new_file("models/tuned/vocab.json", "{}"),
    "a chat template": new_file(
        "models/tuned/chat_template.jinja",
        "{% for m in messages %}{{ m['content'] }} ! {% endfor %}{{ eos_token }}",
    ),
    "a chat template that fails": new_file("models/tuned/chat_template.jinja", "{{ none.a.b }}"),
    "the limit": in_place("study.yaml", "limit: 3", "limit: 2"),
    "the arms": in_place("study.yaml", "tuned-2shot-chat", "tuned-1shot-chat"),
    "the fields of the study file": in_place("study.yaml", "{{asked}}", "{{ gold}}"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_noticed(
    name: str, tmp_path: Path, without_cache: Callable[[Path], Any]
) -> None:
    folder = write(tmp_path / "run")
    before = without_cache(folder)
    assert planned(folder) == before, "an empty cache"
    assert planned(folder) == before, "a cache with everything"
    CHANGES[name](folder)
    try:
        expected = without_cache(folder)
    except StudyError as error:
        with pytest.raises(StudyError, match=re.escape(str(error))):
            planned(folder)
        return
    assert planned(folder) == expected, "a cache of the study before the change"
    assert planned(folder) == expected
    assert (expected == before) == (name in WITHOUT_EFFECT)


def test_nothing_is_loaded_for_a_study_that_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "run")
    before = planned(folder)

    def load(*arguments: Any, **options: Any) -> None:
        raise AssertionError("was loaded")

    monkeypatch.setattr(TaskLibrary, "load", load)
    monkeypatch.setattr(TaskLibrary, "_read_entry", load)
    monkeypatch.setattr(tokenizers, "load_tokenizer", load)
    monkeypatch.setattr(loader, "load_tokenizer", load)
    monkeypatch.setattr(loader, "load_config", load)
    assert planned(folder) == before


@pytest.mark.parametrize(
    "statement",
    ["doc_to_text: !function code.question", "include: base.yaml", "description: '{{[1]|random}}'"],
)
def test_tasks_whose_sources_are_not_known_are_loaded(statement: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    path = folder / "tasks" / "own.yaml"
    if statement.startswith("doc_to_text"):
        path.write_text(re.sub("doc_to_text: .*", statement, path.read_text()))
    else:
        path.write_text(f"{path.read_text()}{statement}\n")
    (folder / "tasks" / "base.yaml").write_text("description: ''\n")
    (folder / "tasks" / "code.py").write_text("def question(doc):\n    return doc['word']\n")
    planned(folder)
    kinds = {path.name for path in Path(os.environ[fact_cache.LOCATION]).iterdir()}
    assert {"templates", "tokenizers"} <= kinds
    assert not kinds & {"task_entries", "task_items"}
