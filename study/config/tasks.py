"""Entries of `tasks` in study.yaml: tasks listed in full, or those of a suite.

In: parts of the study file, or of a suite's file. Out: frozen models of them.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from study.validation import MAX_COUNT, Strict, either_mapping

Exposure = Literal["seen_task", "unseen_task", "unseen_type", ""]
"What the tuning mixture showed of a task; empty where unknown."


def checked_range(ends: list[float]) -> list[float]:
    """The lowest and the highest score of a metric, as given; ValueError if they are no range."""
    if len(ends) != 2 or not math.isfinite(ends[0]) or not ends[0] < ends[1] <= 1:
        raise ValueError("[lowest, highest] with the lowest below the highest, and that at most 1")
    return ends


class ListedTask(Strict):
    """One lm-eval task with what the study must know about it."""

    multiline = frozenset({"fields"})

    task: str
    "Its name in lm-eval."
    task_type: str
    "The type by which results are reported."
    metric: str
    "The metric, as lm-eval names it; with a filter as `metric,filter`."
    chance: float = Field(ge=0, lt=1)
    "Score of random guessing."
    scale: float = Field(default=1.0, gt=0, le=1_000_000)
    "Factor that turns the metric into a fraction; 0.01 for a metric in percent."
    range: Annotated[list[float], AfterValidator(checked_range)] | None = None
    "Lowest and highest score after `scale`, such as [-1, 1] for a metric corrected for chance."
    max_shots: int | None = Field(default=None, ge=0, le=999)
    "Largest number of demonstrations the task supports; by default any number."
    exposure: Exposure = ""
    "What the tuning mixture showed of the task, where known."
    passage: str | None = None
    "The document field that holds a text shared by several items."
    factors: list[str] = Field(default_factory=list)
    "Document fields by which items differ, such as a category; kept with the items."
    fields: dict[str, str] = Field(default_factory=dict)
    "Name and Jinja template of each field in field-by-field prompts; by default the document's."
    options: str | None = None
    "The document field that lists the options, where the task file names none."
    items: int | None = Field(default=None, gt=0, le=MAX_COUNT)
    "Number of items, for estimates while the data set is not available."
    tokens: int | None = Field(default=None, gt=0, le=MAX_COUNT)
    "Tokens of one item, likewise."


class SuiteTasks(Strict):
    """The tasks of a suite, or some of them."""

    suite: str
    "The suite's name, or a YAML file of the same form."
    only: list[str] | None = None
    "Only these tasks."
    task_type: list[str] | None = None
    "Only tasks of these types."


TaskEntries = Annotated[
    Annotated[SuiteTasks, Tag("<suite>")] | Annotated[list[ListedTask], Tag("<list>")],
    either_mapping("<suite>", "<list>"),
]
