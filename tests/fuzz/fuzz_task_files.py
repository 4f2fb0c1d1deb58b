"""Mutants of lm-eval task files in a study's folder: as content, as bytes, and beside others."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from study.config.study import read_study
from study.errors import StudyError
from study.tasks.items import TaskItems
from study.tasks.lm_eval.library import TaskLibrary, task_library
from study.tasks.suites import study_tasks
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import (
    alias_bomb,
    as_yaml,
    changed_bytes,
    changed_content,
    yaml_content,
)

CHOICE: dict[str, Any] = {
    "task": "choice",
    "include": "shared.yaml",
    "output_type": "multiple_choice",
    "training_split": "train",
    "test_split": "test",
    "doc_to_text": "the colour of {{word}} is",
    "doc_to_choice": ["red", "green"],
    "doc_to_target": "gold",
    "description": "Colours.\n\n",
    "num_fewshot": 0,
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}
TEXT: dict[str, Any] = {
    "task": "text",
    "include": ["shared.yaml"],
    "tag": ["tests"],
    "output_type": "generate_until",
    "test_split": "test",
    "fewshot_split": "train",
    "doc_to_text": "{{word}} :",
    "doc_to_target": "{{answers[gold]}}",
    "target_delimiter": " ",
    "fewshot_delimiter": "\n",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, "do_sample": False},
    "repeats": 1,
    "fewshot_config": {"sampler": "first_n"},
    "filter_list": [{"name": "first", "filter": [{"function": "take_first"}]}],
    "metric_list": [
        {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True,
         "ignore_case": True}
    ],
}  # fmt: skip
ROWS = [
    {"word": word, "gold": number % 2, "answers": ["red", "green"]}
    for number, word in enumerate(("leaf", "rose", "grass", "brick", "pea", "ruby", "moss"))
]
FUNCTIONS = "doc_to_text: !function code.text\nprocess_docs: !function code.documents\n"
CODE = """
def text(doc): return "colour of " + doc["word"]
def documents(docs): return docs
def wrong(*arguments, **rest): raise KeyError("\\x1b[31m" + "y" * 5000)
def ends(*arguments, **rest): raise SystemExit(3)
def nothing(*arguments, **rest): return None
def noise(docs):
    print("\\x1b]0;title\\x07" * 1000)
    return docs
"""
INVALID_ADDITIONS = (
    "doc_to_text: !function code.absent\n",
    "doc_to_text: !function absent.text\n",
    "doc_to_text: !function text\n",
    "doc_to_text: !function code.wrong\n",
    "doc_to_text: !function code.ends\n",
    "doc_to_text: !function code.nothing\n",
    "doc_to_text: '{{ word'\n",
    "doc_to_text: '{% if %}'\n",
    "doc_to_text: '{{ absent.field }}'\n",
    "doc_to_text: '{{ 1 / 0 }}'\n",
    "process_docs: !function code.wrong\n",
    "process_docs: !function code.nothing\n",
    "include: SELF.yaml\n",
    "include: absent.yaml\n",
    "include: loop.yaml\n",
    "include: [shared.yaml, shared.yaml]\n",
    "include: {a: b}\n",
    "group: others\n",
    "class: !function code.text\n",
    "test_split: absent\n",
    "dataset_kwargs: {data_files: {test: absent.jsonl}}\n",
    "dataset_path: csv\n",
    "output_type: multiple_choices\n",
    "doc_to_choice: [no, yes]\n",
    "task: SELF\ntask: SELF\n",
    "doc_to_txt: a\n",
    "metric_list: acc\n",
    "metric_list: [{metric: absent}]\n",
    "filter_list: [{name: a, filter: [{function: absent}]}]\n",
    "repeats: 0\n",
    "x: " + "[" * 5000 + "\n",
    "x: &a [*a]\n",
    alias_bomb(9),
)
"Text at the end of a valid file, each of which makes it invalid; a key that was there is removed."


class FuzzTaskFiles(Fuzzer):
    """Task files, with what `study plan` reads of them."""

    name = "task files"
    sample = 25

    def prepare(self, folder: Path) -> None:
        tasks = folder / "tasks"
        tasks.mkdir()
        data = {}
        for split, rows in {"train": ROWS[:3], "test": ROWS[3:]}.items():
            path = tasks / f"{split}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            data[split] = str(path)
        self.shared = {"dataset_path": "json", "dataset_kwargs": {"data_files": data}}
        (tasks / "shared.yaml").write_bytes(as_yaml(self.shared))
        (tasks / "code.py").write_text(CODE)
        (tasks / "loop.yaml").write_text("include: loop.yaml\n")
        for content in (CHOICE, TEXT):
            (tasks / f"{content['task']}.yaml").write_bytes(as_yaml(content))
        for name in ("choice", "text"):
            (folder / name).mkdir()
            (folder / name / "study.yaml").write_bytes(as_yaml(_study(name)))
        with pytest.raises(StudyError, match="the name of an lm-eval task"):
            TaskLibrary().entry("absent", folder)  # reads lm-eval's index, which takes seconds
        self.read(folder, Mutant("choice: nothing", {}, CHOICE))
        self.read(folder, Mutant("text: nothing", {}, TEXT))

    def mutant(self, random: Random) -> Mutant:
        content = random.choice((CHOICE, TEXT))
        name = content["task"]
        path = f"tasks/{name}.yaml"
        kind = random.random()
        if kind < 0.1:  # a file that the study does not use
            data, change, _ = changed_bytes(as_yaml(content | {"task": "other"}), random)
            return Mutant(f"{name}: beside it {change}", {"tasks/zz.yaml": data}, content)
        if kind < 0.25:
            addition = random.choice(INVALID_ADDITIONS)
            text = addition.replace("SELF", name)
            kept = {key: value for key, value in content.items() if f"{key}:" not in text}
            data = as_yaml(kept) + text.encode()
            return Mutant(f"{name}: {addition[:40]!r}", {path: data}, invalid=True)
        if kind < 0.3:
            kept = {key: value for key, value in content.items() if key != "doc_to_text"}
            functions = FUNCTIONS + random.choice(("", "# code.noise"))
            data = as_yaml(kept) + functions.encode()
            return Mutant(f"{name}: functions", {path: data}, kept)
        if kind < 0.75:
            changed, change = changed_content(content, random)
            return Mutant(f"{name}: {change}", {path: as_yaml(changed)}, changed)
        data, change, invalid = changed_bytes(as_yaml(content), random)
        return Mutant(f"{name}: {change}", {path: data}, invalid=invalid)

    def read(self, folder: Path, mutant: Mutant) -> None:
        name = mutant.change.split(":")[0]
        study = read_study(folder / name)
        library = task_library(study)
        (task,) = study_tasks(study)
        entry = library.entry(task.task, study.file)
        loaded, items = library.load_items(task.task, study.file)
        assert entry.file == folder / "tasks" / f"{name}.yaml"
        content = mutant.content
        if content is None:
            text = entry.file.read_text(encoding="utf-8-sig")
            content = yaml_content(text, _OtherReader)
        self._check(content, entry.config, loaded.config)
        _check_items(items)

    def _check(self, content: Any, config: dict[str, Any], used: Any) -> None:
        """What was read and what is used are what the file says."""
        said = {key: value for key, value in content.items() if key != "include"}
        for key, value in said.items():
            assert _same(config[key], value), f"{key}: {value!r} was read as {config[key]!r}"
            if key in NOT_COPIED or callable(getattr(used, key)):
                continue
            assert _same(getattr(used, key), value), f"{key}: {value!r} is {getattr(used, key)!r}"


NOT_COPIED = {"metadata", "fewshot_config", "generation_kwargs", "tag"}
"Keys whose values lm-eval completes or drops."


def _same(value: Any, other: Any) -> bool:
    return repr(value) == repr(other)


class _OtherReader(yaml.SafeLoader):
    """Another reader of YAML; functions are their names."""


_OtherReader.add_constructor("!function", lambda loader, node: node.value)


def _check_items(items: TaskItems) -> None:
    assert len(items.items) + len(items.pool) + items.removed >= 1
    assert items.items
    for document in itertools.chain(items.items, items.pool):
        assert isinstance(document.text, str)
        assert all(isinstance(choice, str | int) for choice in document.choices)


def _study(name: str) -> dict[str, Any]:
    metric = "acc" if name == "choice" else "exact_match"
    return {
        "name": name,
        "pairs": [{"source": "zoo", "pair": ["llama-early-xs"]}],
        "arms": ["base-0shot", "base-2shot", "tuned-0shot-chat"],
        "tasks": [{"task": name, "task_type": "t", "metric": metric, "chance": 0.25}],
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
        "task_folders": ["../tasks"],
    }
