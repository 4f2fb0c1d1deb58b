"""A document taken apart: its fields, its options, its answer, whatever task it is of.

In: a loaded lm-eval task, the study's entry for it, a document. Out: texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.config.wording import Fields

BOOKKEEPING = frozenset({"id", "idx", "split", "label", "gold", "answer", "answerKey", "target"})
"Fields of a document that never belong to its question."


def fields_of(task: Any, document: dict[str, Any], named: Mapping[str, str]) -> Fields:
    """(name, value) pairs: those `named`, as Jinja texts over the document; else all texts and
    numbers but the answer, the options last (Bigoulaeva et al. 2025)."""
    from lm_eval.utils import apply_template

    if named:
        return tuple((name, apply_template(text, document)) for name, text in named.items())
    target = str(task.config.doc_to_target)
    found = [
        (name.replace("_", " ").capitalize(), str(value))
        for name, value in document.items()
        if isinstance(value, str | int | float)
        and name not in BOOKKEEPING
        and name not in (target, target.strip("{} "))
    ]
    if task.config.doc_to_choice is not None:
        found.append(("Options", "; ".join(task.doc_to_choice(document))))
    return tuple(found)


def options_of(task: Any, document: dict[str, Any], field: str | None) -> list[str]:
    """The options that the task lists, or those in the document's `field`; empty if there are
    none."""
    if task.config.doc_to_choice is not None:
        return [str(option) for option in task.doc_to_choice(document)]
    return [str(option) for option in document[field]] if field else []


def answer_of(task: Any, document: dict[str, Any]) -> str:
    """The right answer as text; of several, the first."""
    target = task.doc_to_target(document)
    if isinstance(target, list):
        target = target[0]
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        target = task.doc_to_choice(document)[target]
    return str(target).strip()
