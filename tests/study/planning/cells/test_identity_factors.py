"""What can move a number moves its key, and what cannot leaves the number equal to the last bit.

Each factor changes one thing about a small study: a file of a model's folder, a field of a task's
configuration, a variable of the chat template, a key of the study file, the surroundings. Either
the keys of some cells change; or all keys are the same, and so are all token ids, responses and
scores when everything is recomputed. Which of the two is stated for each factor, so that a key
that changes without need is noticed as well.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from study import fact_cache
from study.models import tokenizers
from study.models.folders import loader
from study.models.pairs import zoo
from study.planning.plan import Job
from study.results.run import Run
from study.running.cells.run_model import ModelRunner
from tests.in_process import evaluate_all, plan

PAIR = zoo()[0]
TEMPLATE = (
    "{% set polite = polite | default(false) %}{{ bos_token }} {% if polite %}give {% endif %}"
    "{{ strftime_now('%Y') }} {% for message in messages %}<|{{ message['role'] }}|> "
    "{{ message['content'] }} {{ eos_token if message['role'] == 'assistant' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CODE = """
from datasets import Dataset

WORDS = ["fox", "owl", "cat", "dog", "elk", "bee"]
SHIFT = 0


def rows(start, stop):
    return {
        "word": WORDS[start:stop],
        "choices": [["red", "blue"]] * (stop - start),
        "gold": [i % 2 for i in range(start, stop)],
        "place": list(range(start, stop)),
    }


def data(**_):
    return {"train": Dataset.from_dict(rows(0, 3)), "test": Dataset.from_dict(rows(3, 6))}


def documents(dataset):
    return dataset


def question(doc):
    return "give the colour of " + doc["word"] + " ="


def scored(doc, results):
    return {"acc": float(max(results)[0] == results[doc["gold"]][0]) + SHIFT}


def unused():
    return 0
"""
CHOICE: dict[str, Any] = {
    "task": "own_choice",
    "custom_dataset": "!function code.data",
    "output_type": "multiple_choice",
    "training_split": "train",
    "test_split": "test",
    "fewshot_split": "train",
    "process_docs": "!function code.documents",
    "doc_to_text": "!function code.question",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "process_results": "!function code.scored",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}
TEXT: dict[str, Any] = {
    **{key: CHOICE[key] for key in ("custom_dataset", "training_split", "test_split")},
    "task": "own_text",
    "output_type": "generate_until",
    "fewshot_split": "train",
    "doc_to_text": "give the colour of {{word}} =",
    "doc_to_target": "{{choices[gold]}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, "do_sample": False},
    "filter_list": [{"name": "first", "filter": [{"function": "take_first"}]}],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}


@dataclass
class Parts:
    """The parts of the study, changed by a factor before they are written."""

    folder: Path
    study: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    code: str = CODE

    @property
    def tuned(self) -> Path:
        return self.folder / "models" / "tuned"

    def write(self) -> Path:
        tasks = self.folder / "tasks"
        tasks.mkdir(exist_ok=True)
        (tasks / "code.py").write_text(self.code)
        for name, task in self.tasks.items():
            text = yaml.safe_dump(task, sort_keys=False)
            (tasks / f"{name}.yaml").write_text(re.sub("'(!function .*)'", r"\1", text))
        run = self.folder / "run"
        run.mkdir(exist_ok=True)
        (run / "study.yaml").write_text(yaml.safe_dump(self.study))
        return run


def parts_in(folder: Path) -> Parts:
    """The unchanged study, with a model folder of its own that holds what published ones hold."""
    models = folder / "models"
    for role in ("base", "tuned"):
        shutil.copytree(PAIR.member(role).path, models / role)
    (models / "tuned" / "chat_template.jinja").write_text(TEMPLATE)
    listed = {"task_type": "own", "chance": 0.5}
    study = {
        "name": "factors",
        "pairs": [
            {
                "base": "../models/base",
                "tuned": "../models/tuned",
                "family": "f",
                "params_b": PAIR.params_b,
            }
        ],
        "arms": ["base-2shot", "tuned-0shot-chat"],
        "tasks": [
            {"task": "own_choice", "metric": "acc", **listed},
            {"task": "own_text", "metric": "exact_match", **listed},
        ],
        "task_folders": ["../tasks"],
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
        "draws": 1,
    }
    tasks = {task["task"]: json.loads(json.dumps(task)) for task in (CHOICE, TEXT)}
    return Parts(folder, study, tasks)


Factor = Callable[[Parts], object]


def in_json(name: str, **values: Any) -> Factor:
    """Change values in a JSON file of the tuned model."""

    def change(parts: Parts) -> None:
        path = parts.tuned / name
        content = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**content, **values}))

    return change


def one_weight(parts: Parts) -> None:
    from safetensors.torch import load_file, save_file

    path = parts.tuned / "model.safetensors"
    tensors = load_file(path)
    name = next(name for name in sorted(tensors) if name.endswith("norm.weight"))
    tensors[name] = tensors[name] * 1.5
    save_file(tensors, path, metadata={"format": "pt"})


def in_tokenizer(parts: Parts) -> None:
    path = parts.tuned / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["red"], vocabulary["blue"] = vocabulary["blue"], vocabulary["red"]
    path.write_text(json.dumps(content))


def file(name: str, text: str) -> Factor:
    """A file of the tuned model's folder."""
    return lambda parts: (parts.tuned / name).write_text(text)


def task(name: str, **values: Any) -> Factor:
    """Fields of a task's configuration."""
    return lambda parts: parts.tasks[f"own_{name}"].update(values)


def in_code(before: str, after: str) -> Factor:
    """The code of the tasks."""

    def change(parts: Parts) -> None:
        assert before in parts.code
        parts.code = parts.code.replace(before, after)

    return change


def key(**values: Any) -> Factor:
    """Keys of the study file."""
    return lambda parts: parts.study.update(values)


def listed(**values: Any) -> Factor:
    """Keys of the first task in the study file."""
    return lambda parts: parts.study["tasks"][0].update(values)


def pair(**values: Any) -> Factor:
    """Keys of the pair in the study file."""
    return lambda parts: parts.study["pairs"][0].update(values)


def moved(parts: Parts) -> None:
    """The models in another folder."""
    (parts.folder / "models").rename(parts.folder / "elsewhere")
    for role in ("base", "tuned"):
        parts.study["pairs"][0][role] = f"../elsewhere/{role}"


def tasks_moved(parts: Parts) -> None:
    parts.study["task_folders"] = ["../tasks-elsewhere"]
    (parts.folder / "tasks-elsewhere").symlink_to(parts.folder / "tasks")


FEWSHOT = {"doc_to_text": "colour of {{word}}:"}
MOVES: dict[str, Factor] = {
    "config.json": in_json("config.json", rms_norm_eps=0.5),
    "generation_config.json": in_json("generation_config.json", repetition_penalty=1.9),
    "generation_config.json, end of text": in_json("generation_config.json", eos_token_id=5),
    "model.safetensors": one_weight,
    "tokenizer.json": in_tokenizer,
    "tokenizer_config.json, eos_token": in_json("tokenizer_config.json", eos_token="<unk>"),
    "chat_template.jinja": file("chat_template.jinja", TEMPLATE + " "),
    "special_tokens_map.json": in_json("special_tokens_map.json", eos_token="<unk>"),
    "task: description": task("choice", description="answer : "),
    "task: target_delimiter": task("choice", target_delimiter=" = "),
    "task: fewshot_delimiter": task("choice", fewshot_delimiter=" ; "),
    "task: doc_to_choice": task("choice", doc_to_choice=["red", "green"]),
    "task: doc_to_text": task("text", doc_to_text="colour of {{word}} ="),
    "task: doc_to_target": task("text", doc_to_target="{{word}}"),
    "task: gen_prefix": task("text", gen_prefix="colour"),
    "task: generation_kwargs, stops": task(
        "text", generation_kwargs={**TEXT["generation_kwargs"], "until": ["e"]}
    ),
    "task: generation_kwargs, length": task(
        "text", generation_kwargs={**TEXT["generation_kwargs"], "max_gen_toks": 2}
    ),
    "task: repeats": task("text", repeats=2),
    "task: filter_list": task(
        "text",
        filter_list=[
            {"name": "first", "filter": [{"function": "lowercase"}, {"function": "take_first"}]}
        ],
    ),
    "task: metric_list": task(
        "text", metric_list=[{**TEXT["metric_list"][0], "ignore_case": True}]
    ),
    "task: output_type": task("choice", output_type="multiple_choice", process_results=None),
    "task: fewshot_config": task("choice", fewshot_config=FEWSHOT),
    "task: metadata, version": task("choice", metadata={"version": 2.0}),
    "task: test_split": task("choice", test_split="train", fewshot_split="test"),
    "code: process_results": in_code('"acc": float', '"acc": 1 - float'),
    "code: what process_results uses": in_code("SHIFT = 0", "SHIFT = 1"),
    "code: doc_to_text": in_code('" ="', '" :"'),
    "code: process_docs": in_code(
        "return dataset", 'return dataset.map(lambda d: {"gold": 1 - d["gold"]})'
    ),
    "code: the data": in_code('"elk"', '"ant"'),
    "code: a field that is not rendered": in_code("list(range(start, stop))", "[7] * 3"),
    "template_arguments": pair(template_arguments={"polite": True}),
    "date": key(date=dt.date(2031, 1, 1)),
    "limit": key(limit=2),
    "seed": key(seed=1),
    "dtype": key(dtype="bfloat16"),
    "answers": key(answers={"choose": "exact", "tokens": 4}),
    "arms: shots": key(
        arms=["base-1shot", "tuned-0shot-chat"],
        contrasts=[{"name": "c", "x": "base-1shot", "y": "tuned-0shot-chat"}],
    ),
    "arms: chat template": key(
        arms=["base-2shot", "tuned-0shot"],
        contrasts=[{"name": "c", "x": "base-2shot", "y": "tuned-0shot"}],
    ),
    "tasks: scale": listed(scale=0.5),
}
"Factors that move the key of some cell."


def environment(**values: str) -> Factor:
    """Environment variables that transformers, lm-eval and their libraries read."""
    return lambda parts: os.environ.update(values)


EQUAL: dict[str, Factor] = {
    "README.md": file("README.md", "# A model"),
    "training_args.bin": file("training_args.bin", "not read"),
    "the folder of the models": moved,
    "the folder of the tasks": tasks_moved,
    "task: task_alias": task("choice", task_alias="other"),
    "task: tag": task("choice", tag="other"),
    "task: num_fewshot": task("choice", num_fewshot=3),
    "task: should_decontaminate": task(
        "choice", should_decontaminate=True, doc_to_decontamination_query="word"
    ),
    "code: a remark": in_code("SHIFT = 0", "# A remark.\nSHIFT = 0"),
    "code: a function that is not used": in_code("return 0", "return 1"),
    "name": key(name="other"),
    "contrasts": key(contrasts=[{"name": "d", "x": "tuned-0shot-chat", "y": "base-2shot"}]),
    "analysis": key(analysis={"multiplicity": {"type": "bh"}}),
    "slurm": key(slurm=[{"hours": 1, "memory_gb": 1}]),
    "pairs: family": pair(family="other"),
    "tasks: task_type": listed(task_type="other"),
    "tasks: chance": listed(chance=0.25),
    "tasks: passage": listed(passage="word"),
    "tasks: factors": listed(factors=["place"]),
    "tasks: max_shots": listed(max_shots=5),
    "environment": environment(
        HF_HOME="/nonexistent",
        HF_HUB_DISABLE_TELEMETRY="0",
        LMEVAL_LOG_LEVEL="DEBUG",
        TRANSFORMERS_VERBOSITY="error",
        TOKENIZERS_PARALLELISM="true",
        PYTHONHASHSEED="3",
        TZ="Pacific/Kiritimati",
        LC_ALL="tr_TR.UTF-8",
    ),
}
"Factors that move neither a key nor a number."


def keys_of(folder: Path) -> set[tuple[str | None, str | None]]:
    """(responses, scores) of all cells, as a new process would plan them; with cached facts of the
    studies before, and without any."""
    found = []
    for environment in (fact_cache._environment, lambda: None):
        for memory in (tokenizers._templates, tokenizers._counts, loader._loadable):
            memory.clear()
        tokenizers.cached_tokenizer.cache_clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fact_cache, "_environment", environment)
            patch.setattr(fact_cache, "_started", sys.maxsize)
            planned = plan(folder)
        assert list(planned.missing()) == []
        found.append(
            {(cell.responses, cell.key) for job in planned.plan.jobs for cell in job.cells}
        )
    assert found[0] == found[1]
    return found[0]


def numbers_of(run: Run) -> dict[str, Any]:
    """By key: token ids, responses and scores."""
    numbers: dict[str, Any] = {}
    for each in run.responses.done():
        tokens = run.responses.record(each)["token_digest"]
        numbers[each] = [tokens, run.responses.items(each).to_pylist()]
    for each in run.cells.done():
        numbers[each] = [run.cells.record(each)["score"], run.cells.items(each).to_pylist()]
    return numbers


@pytest.fixture(autouse=True)
def fresh_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Task code that is rewritten within a second is read anew; the environment is restored."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    for name, value in list(os.environ.items()):
        monkeypatch.setenv(name, value)
    for name in ("HF_HOME", "LMEVAL_LOG_LEVEL", "TRANSFORMERS_VERBOSITY", "PYTHONHASHSEED", "TZ"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[Any], dict[str, Any]]:
    """Keys and numbers of the unchanged study."""
    folder = parts_in(tmp_path_factory.mktemp("unchanged")).write()
    return keys_of(folder), numbers_of(evaluate_all(folder))


@pytest.mark.parametrize("name", MOVES)
def test_what_can_move_a_number_moves_a_key(
    name: str, unchanged: tuple[set[Any], dict[str, Any]], tmp_path: Path
) -> None:
    parts = parts_in(tmp_path)
    MOVES[name](parts)
    assert keys_of(parts.write()) != unchanged[0]


@pytest.mark.parametrize("name", EQUAL)
def test_what_moves_no_key_moves_no_number(
    name: str, unchanged: tuple[set[Any], dict[str, Any]], tmp_path: Path
) -> None:
    parts = parts_in(tmp_path)
    EQUAL[name](parts)
    folder = parts.write()
    assert keys_of(folder) == unchanged[0]
    assert numbers_of(evaluate_all(folder)) == unchanged[1]


class Reversed(ModelRunner):
    """Evaluates the cells of a model in the reverse order, with a quarter of the tokens at once."""

    def run_job(self, job: Job, *, memory_share: float = 1.0) -> Any:
        reverse = Job(job.model, job.params_b, job.cells[::-1], job.tuned)
        return super().run_job(reverse, memory_share=0.25)


@pytest.mark.parametrize("threads", [1, 2])
def test_order_budget_threads_and_working_directory_move_no_number(
    threads: int,
    unchanged: tuple[set[Any], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    folder = parts_in(tmp_path).write()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.in_process.ModelRunner", Reversed)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        run = evaluate_all(folder)
    finally:
        torch.set_num_threads(before)
    numbers = numbers_of(run)
    assert {key: numbers[key] for key in run.cells.done()} == {
        key: unchanged[1][key] for key in run.cells.done()
    }
    for each in run.responses.done():
        (tokens, rows), (planned_tokens, planned_rows) = numbers[each], unchanged[1][each]
        assert tokens == planned_tokens
        for row, planned in zip(rows, planned_rows, strict=True):
            # Sums in another order differ in the last digits.
            assert row["logprobs"] == pytest.approx(planned["logprobs"], abs=1e-4)
            assert {**row, "logprobs": None} == {**planned, "logprobs": None}
