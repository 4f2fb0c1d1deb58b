"""Tuning data in study.yaml: sources, and mixtures of them.

In: entries under `tuning`. Out: frozen models of them. Formats are explained in
`study.tuning.data.formats`, which implements them; sources are read by
`study.tuning.data.sources`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.validation import MAX_COUNT, Strict

Format = Literal[
    "flan",
    "flan_neutral",
    "samplegen",
    "samplegen_corrupted",
    "samplegen_other_task",
    "samplegen_unanswered",
    "samplegen_neutral",
    "chat",
]
SOURCE_KINDS = ("zoo", "suite", "task", "file")
"Keys of a source of which exactly one is given; each has a reader in `study.tuning.data.sources`."


class Source(Strict):
    """Where rows of a mixture come from: exactly one of `zoo`, `suite`, `task` and `file`."""

    multiline = frozenset({"wordings", "fields"})

    zoo: list[str] | None = None
    "Skills of the zoo: an unlimited number of questions, none of which is a test item."
    suite: str | None = None
    "A suite of lm-eval tasks: the training split of each."
    only: list[str] | None = None
    "Only these tasks of the suite."
    task: str | None = None
    "One lm-eval task: its training split."
    file: str | None = None
    "JSON lines with `messages`, or with `instruction`, optional `input`, and `output`."
    name: str | None = None
    "Name of the source; by default its task, skill or file."
    task_type: str = ""
    "Type of a task or file."
    shows: list[str] = Field(default_factory=list)
    "lm-eval tasks of which a file contains rows."
    wordings: list[str] = Field(default_factory=list)
    "Wordings of the instruction, in Jinja over a document's fields; by default the task's own."
    fields: dict[str, str] = Field(default_factory=dict)
    "Name and Jinja template of each field in demonstrations; by default the document's fields."
    weight: float | None = Field(default=None, gt=0, le=1_000_000)
    "Relative share of the rows; by default in proportion to the source's size, up to the cap."
    context: int = Field(default=0, ge=0, le=1000)
    "Zoo: number of solved questions of another skill before the instruction, to lengthen it."

    @property
    def kind(self) -> str:
        """The one of `SOURCE_KINDS` that is given."""
        return next(kind for kind in SOURCE_KINDS if getattr(self, kind))

    @model_validator(mode="after")
    def _check_kind(self) -> Source:
        kinds = [kind for kind in SOURCE_KINDS if getattr(self, kind)]
        if len(kinds) != 1:
            raise ValueError(f"exactly one of zoo, suite, task and file, found {len(kinds)}")
        return self


class Mixture(Strict):
    """Rows to tune on, from several sources."""

    like: str | None = None
    "Another mixture, which provides every key that is not given here."
    sources: list[Source] = Field(default_factory=list)
    "The sources to mix."
    only: list[str] = Field(default_factory=list)
    "Only sources with these names or task types."
    without: list[str] = Field(default_factory=list)
    "No sources with these names or task types."
    cap: int = Field(default=3000, ge=1, le=MAX_COUNT)
    "Largest size that a source counts as in examples-proportional mixing."
    rows: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    "Total number of rows."
    tokens: int | None = Field(default=None, ge=1, le=10**13)
    "Or the total number of tokens, so that formats of different length can be compared."
    longer: Literal["refuse", "drop", "truncate"] = "refuse"
    "What happens to rows that are longer than the model's context window."
