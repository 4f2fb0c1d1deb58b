"""A document of any task taken apart: its question, fields, options and answer.

In: a loaded lm-eval task, the study's entry for it, a document. Out: text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from study.config.tasks import ListedTask
from study.config.wording import Fields
from study.tasks.lm_eval.types import LmEvalDocument, LmEvalTask
from study.tasks.prompt_forms.templates import render_template

BOOKKEEPING = frozenset({"id", "idx", "split", "label", "gold", "answer", "answerKey", "target"})
"Fields of a document that are never part of its question."


def fields_of(
    task: LmEvalTask, document: LmEvalDocument, named: Mapping[str, str], where: str
) -> Fields:
    """(name, value) of each field of a question.

    `named` gives names and Jinja templates over the document. If it is empty: all texts and numbers
    of the document except the answer, the options last (Bigoulaeva et al. 2025). StudyError, which
    names `where` the templates are given, if one cannot be rendered.
    """
    if named:
        return named_fields(document, named, where)
    target = str(task.config.doc_to_target)
    fields = [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in document.items()
        if isinstance(value, str | int | float)
        and name not in BOOKKEEPING
        and name not in (target, target.strip("{} "))
    ]
    if task.config.doc_to_choice is not None:
        fields.append(("Options", "; ".join(task.doc_to_choice(document))))
    return tuple(fields)


def named_fields(document: LmEvalDocument, named: Mapping[str, str], where: str) -> Fields:
    """(name, value) of the fields that Jinja templates name; StudyError, which names `where` they
    are given, if one cannot be rendered."""
    return tuple(
        (name, render_template(template, document, where, f"fields.{name}"))
        for name, template in named.items()
    )


def options_of(task: LmEvalTask, document: LmEvalDocument, field: str | None) -> list[str]:
    """The options that the task lists, or those in the document's `field`; empty if none."""
    if task.config.doc_to_choice is not None:
        return [str(option) for option in task.doc_to_choice(document)]
    return [str(option) for option in document[field]] if field else []


def answer_of(task: LmEvalTask, document: LmEvalDocument) -> str:
    """The correct answer as text; the first if there are several."""
    target = task.doc_to_target(document)
    if isinstance(target, list):
        target = target[0]
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[target]
    return str(target).strip()


def normalised_answer(answer: str) -> str:
    """Lower case, single spaces, no quotes, no final full stop: how answers are compared."""
    return re.sub(r"\s+", " ", answer.strip().strip("\"'").rstrip(".").lower()).strip()


@dataclass(frozen=True)
class Question:
    """A document as prompt forms see it; every part is rendered when it is first used."""

    task: LmEvalTask
    listed: ListedTask
    document: LmEvalDocument
    index: int = -1
    "The item's index in its split; -1 where a form does not need it."
    template: Any = None
    "Another template of the question, if lm-eval asks for one."

    @cached_property
    def text(self) -> str:
        """The question in lm-eval's own wording."""
        return str(self.task.doc_to_text(self.document, self.template))

    @cached_property
    def fields(self) -> Fields:
        """(name, value) of each field."""
        where = f"tasks: {self.listed.task}"
        return fields_of(self.task, self.document, self.listed.fields, where)

    @cached_property
    def options(self) -> list[str]:
        """The options; empty if the task has none."""
        return options_of(self.task, self.document, self.listed.options)

    @cached_property
    def answer(self) -> str:
        """The correct answer as text."""
        return answer_of(self.task, self.document)
