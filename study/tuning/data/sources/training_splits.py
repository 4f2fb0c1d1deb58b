"""The sources `task` and `suite`: the training splits of lm-eval tasks.

In: a task, or a suite of tasks. Out: one pool for each task. Documents whose normalised question
equals a test item's are removed, so that no test item is trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from study.config.study import Study
from study.config.tuning.mixtures import Source
from study.errors import StudyError
from study.tasks.leakage import normalised
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalDocument, LmEvalTask
from study.tasks.prompt_forms.documents import answer_of, fields_of
from study.tasks.prompt_forms.templates import render_template
from study.tasks.suites import read_suite, select_tasks
from study.tuning.data.sources.base import Pool, TaskExample, finite_pool


def read_training_split(
    source: Source, study: Study, tasks: TaskLibrary, key: str
) -> Iterator[Pool]:
    """The pool of one task."""
    yield _task_pool(source, str(source.task), source.task_type, study, tasks, key)


def read_suite_splits(source: Source, study: Study, tasks: TaskLibrary, key: str) -> Iterator[Pool]:
    """One pool for each task of a suite."""
    file, suite = read_suite(str(source.suite), study, f"{key}.suite")
    error = partial(StudyError, file)
    for task in select_tasks(suite.tasks, "task", source.only, error, f"{key}.only"):
        yield _task_pool(source, task.task, task.task_type, study, tasks, key)


def _task_pool(
    source: Source, name: str, task_type: str, study: Study, tasks: TaskLibrary, key: str
) -> Pool:
    entry = tasks.entry(name, study.file)
    if not entry.config.get("training_split"):
        raise study.error(
            f"{key}: {name}", found="a task without a training split", expected="tasks with one"
        )
    task = tasks.load(name)
    with tasks.faults(name):
        test_questions = {normalised(str(task.doc_to_text(doc))) for doc in task.eval_docs}
        examples = [
            _example(source, task, doc, f"{study.file}: {key}")
            for doc in task.training_docs()
            if normalised(str(task.doc_to_text(doc))) not in test_questions
        ]
    if not examples:
        raise study.error(
            f"{key}: {name}",
            found="an empty training split",
            expected="training documents that differ from the test items",
        )
    shows = frozenset({name, *_tasks_with_same_data(tasks, name)})
    return finite_pool(source, source.name or name, task_type or name, shows, examples)


def _tasks_with_same_data(tasks: TaskLibrary, name: str) -> Iterator[str]:
    """Local tasks (of the zoo and the study's folders) that read the same data set."""
    config = tasks.entry(name, Path()).config
    data = (config.get("dataset_path"), config.get("dataset_name"))
    for other in tasks.local_tasks():
        other_config = tasks.entry(other, Path()).config
        same = (other_config.get("dataset_path"), other_config.get("dataset_name")) == data
        if same and other_config.get("dataset_kwargs") == config.get("dataset_kwargs") and data[0]:
            yield other


def _example(source: Source, task: LmEvalTask, document: LmEvalDocument, where: str) -> TaskExample:
    wordings = tuple(
        render_template(template, document, where, f"wordings[{i}]")
        for i, template in enumerate(source.wordings)
    )
    return TaskExample(
        wordings or (str(task.doc_to_text(document)),),
        fields_of(task, document, source.fields, where),
        answer_of(task, document),
    )
