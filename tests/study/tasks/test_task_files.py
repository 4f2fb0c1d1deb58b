"""Task files of a study's own: what is wrong with one is one error that names it, for its users."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.errors import StudyError
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.task_schema import Fewshot, TaskConfiguration
from tests.conftest import MakeRun
from tests.study.commands import call
from tests.study.task_files import CODE, TASK

FAULTS = """
def wrong(*arguments, **rest): raise KeyError("two\\nlines \\x1b[31m" + "y" * 5000)
def ends(*arguments, **rest): raise SystemExit(3)
def nothing(*arguments, **rest): return None
def noise(doc):
    print("\\x1b]0;title\\x07")
    return "a"
"""


def _library(folder: Path, **changes: Any) -> TaskLibrary:
    """A library with one task `own`, changed as requested; `...` removes a key. Texts that begin
    with `!` are functions."""
    (folder / "code.py").write_text(CODE + FAULTS)
    content = yaml.load(TASK.format(name="own", function="fine"), Loader=_Functions)
    content = {key: value for key, value in {**content, **changes}.items() if value is not ...}
    lines = [
        f"{key}: {value if str(value)[:1] == '!' else json.dumps(value)}"
        for key, value in content.items()
    ]
    (folder / "own.yaml").write_text("\n".join(lines))
    return TaskLibrary((folder,))


class _Functions(yaml.SafeLoader):
    """Reads functions as texts that begin with `!`."""


_Functions.add_constructor("!function", lambda loader, node: f"!function {node.value}")

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"doc_to_txt": "a"}, r"doc_to_txt: found an unknown key.*'doc_to_text'"),
    "text that is a number": ({"doc_to_text": 5}, "doc_to_text: found 5"),
    "choices that are truth values": (
        {"doc_to_choice": [False, True]},
        r"doc_to_choice\[0\]: found False; expected a text. Write it in quotes",
    ),
    "split that is a number": ({"test_split": 7}, "test_split: found 7; .*quotes"),
    "true for a number": ({"num_fewshot": True}, "num_fewshot: found True"),
    "repeats": ({"repeats": 0}, "repeats: found 0; expected greater than or equal to 1"),
    "output type": ({"output_type": "multiple_choices"}, "Did you mean 'multiple_choice'?"),
    "metrics": ({"metric_list": "acc"}, "metric_list: found 'acc'; expected a valid list"),
    "unknown metric": (
        {"metric_list": [{"metric": "accu"}], "process_results": ...},
        r"metric_list\[0\].metric: found 'accu'; expected a metric of lm-eval.*Did you mean",
    ),
    "missing file of code": ({"doc_to_text": "!function absent.text"}, "task own: found .*absent"),
    "missing function": ({"doc_to_text": "!function code.absent"}, "task own: found .*absent"),
    "no function": ({"doc_to_text": "!function text"}, "task own: found .*text"),
    "code that fails": ({"doc_to_text": "!function code.wrong"}, r"KeyError: 'two\\nlines \\x1b"),
    "code that ends the program": ({"doc_to_text": "!function code.ends"}, "found SystemExit: 3"),
    "no text": ({"doc_to_text": "!function code.nothing"}, "the question is a text, found None"),
    "code of the data that fails": ({"custom_dataset": "!function code.wrong"}, "found KeyError"),
    "syntax of a template": ({"doc_to_text": "{{ word"}, "task own: found TemplateSyntaxError"),
    "unknown field": ({"doc_to_text": "{{ absent.x }}"}, "task own: found UndefinedError"),
    "unknown aggregation": (
        {"metric_list": [{"metric": "acc", "aggregation": "men"}]},
        "task own: found LookupError: there is no aggregation of acc",
    ),
    "template of the description": ({"description": "{{ word"}, "found TemplateSyntaxError"),
    "template of the prefix": ({"gen_prefix": "{{ 1 / 0 }}"}, "found ZeroDivisionError"),
    "template of demonstrations": (
        {"fewshot_config": {"doc_to_text": "{{ absent.x }}"}},
        "found UndefinedError",
    ),
    "missing data": (
        {"custom_dataset": ..., "dataset_path": "json", "test_split": "train",
         "dataset_kwargs": {"data_files": {"train": "absent.jsonl"}}},
        "task own: found FileNotFoundError",
    ),
    "missing split": ({"test_split": "absent"}, "task own: found"),
    "characters as choices": ({"doc_to_choice": "word"}, "choices are a list of texts, found 'a'"),
    "target that is no choice": (
        {"doc_to_target": "word", "process_results": ...},
        "document 0: the target is one of 2 choices or its index, found 'a'",
    ),
    "index of no choice": (
        {"doc_to_target": "{{ 2 if word == 'b' else 0 }}", "process_results": ...},
        "document 1: the target is one of 2 choices or its index, found 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_used_is_refused(kind: str, tmp_path: Path) -> None:
    changes, message = REFUSED[kind]
    library = _library(tmp_path, **changes)
    with pytest.raises(StudyError, match=message) as error:
        library.load_items("own", "study.yaml")
    assert str(error.value).startswith(f"{tmp_path}/own.yaml: ")
    assert len(str(error.value)) < 2000
    assert str(error.value).isprintable()
    # A study that names another task is not concerned.
    library.load_items("zoo_colour_mc", "study.yaml")


UNREADABLE = {
    "task: own\ntask: own\n": "line 2: found the key 'task' twice",
    "task: own\nx: [\n": "found not YAML",
    "task: own\nx: " + "[" * 100_000: "more than 40 mappings and lists",
    "task: own\nx: &x [*x]\n": r"an alias \*x without a complete value",
    "task: own\nx: 2026-02-30\n": "day is out of range",
    "task: own\ninclude: own.yaml\n": r"include: found .*own\.yaml twice",
    "task: own\ninclude: absent.yaml\n": "include: found 'absent.yaml'|include: found .*absent",
    "task: own\ninclude: {a: b}\n": "include: found",
    "- task: own\n": "Expected YAML dict",
    "task: 5\n": "task: found 5; expected a text",
}


@pytest.mark.parametrize("text", UNREADABLE, ids=[text[:30] for text in UNREADABLE])
def test_a_file_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(text)
    library = TaskLibrary((tmp_path,))
    with pytest.raises(StudyError, match=UNREADABLE[text]) as error:
        library.entry("own", "study.yaml")
    assert str(error.value).startswith(f"{tmp_path}/own.yaml")
    assert str(error.value).endswith("The study names the task 'own'")
    assert library.entry("zoo_colour_mc", "study.yaml").file is None


def test_a_broken_file_never_makes_room_for_another_task_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("task: zoo_colour_mc  # ours\nx: [\n")
    with pytest.raises(StudyError, match=r"mine\.yaml.*names the task 'zoo_colour_mc'"):
        TaskLibrary((tmp_path,)).entry("zoo_colour_mc", "study.yaml")


def test_two_files_of_one_task(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("task: own\n")
    with pytest.raises(StudyError, match=r"a\.yaml: task own: found other files .*b\.yaml"):
        TaskLibrary((tmp_path,)).entry("own", "study.yaml")


def test_what_a_task_prints_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _library(tmp_path, doc_to_text="!function code.noise").load_items("own", "study.yaml")
    assert capfd.readouterr() == ("", "")


def test_the_command_exits_with_one_line(make_run: MakeRun, tmp_path: Path) -> None:
    _library(tmp_path, doc_to_text="!function code.wrong")
    folder = make_run(
        tasks=[{"task": "own", "task_type": "t", "metric": "acc", "chance": 0.5}],
        task_folders=[".."],
    )
    result = call("plan", folder)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {tmp_path}/own.yaml: task own: found")
    assert "Traceback" not in result.stderr


def test_the_schema_has_every_key_of_lm_eval() -> None:
    from lm_eval.config.task import FewshotConfig, TaskConfig

    assert set(TaskConfiguration.model_fields) == {f.name for f in dataclasses.fields(TaskConfig)}
    assert set(Fewshot.model_fields) == {f.name for f in dataclasses.fields(FewshotConfig)}
