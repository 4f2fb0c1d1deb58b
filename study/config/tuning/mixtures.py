"""What a study file says of what is tuned on: sources, and mixtures of them.

In: entries under `tuning` in `study.yaml`. Out: frozen models of them. Formats are explained where
they are implemented, in `formats.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.validation import Strict

Format = Literal[
    "flan", "flan_neutral", "samplegen", "samplegen_corrupted", "samplegen_other_task",
    "samplegen_unanswered", "samplegen_neutral", "chat",
]  # fmt: skip


class Source(Strict):
    """Where rows of a mixture come from: exactly one of `zoo`, `suite`, `task` and `file`."""

    zoo: list[str] | None = None
    "Skills of the zoo: questions drawn without end, never one that is asked in a test."
    suite: str | None = None
    "A suite of lm-eval tasks, each one's training split."
    only: list[str] | None = None
    "Only these tasks of the suite."
    task: str | None = None
    "One lm-eval task's training split."
    file: str | None = None
    "JSON lines with `messages`, or with `instruction` (and `input`) and `output`."
    name: str | None = None
    "What it is called; by default its task, skill or file."
    task_type: str = ""
    "Type of a task or file."
    shows: list[str] = Field(default_factory=list)
    "Tasks of which a file holds rows."
    wordings: list[str] = Field(default_factory=list)
    "Wordings of the instruction, in Jinja over a document's fields; else the task's own."
    fields: dict[str, str] = Field(default_factory=dict)
    "Label and Jinja text of each field in demonstrations; else the document's own fields."
    weight: float | None = Field(default=None, gt=0)
    "Its share of the rows, relative; else in proportion to its size, up to the cap."
    context: int = Field(default=0, ge=0)
    "Zoo: so many solved questions of another skill stand before the instruction, to lengthen it."

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        kinds = [kind for kind in ("zoo", "suite", "task", "file") if getattr(self, kind)]
        if len(kinds) != 1:
            raise ValueError(f"exactly one of zoo, suite, task and file, found {len(kinds)}")
        return self


class Mixture(Strict):
    """Rows to tune on, from several sources."""

    like: str | None = None
    "Another mixture, of which all holds that is not given here."
    sources: list[Source] = Field(default_factory=list)
    "What is mixed."
    only: list[str] = Field(default_factory=list)
    "Only sources of these names or task types."
    without: list[str] = Field(default_factory=list)
    "No sources of these names or task types."
    cap: int = Field(default=3000, ge=1)
    "Examples-proportional mixing: a source counts as no larger than this."
    rows: int | None = Field(default=None, ge=1)
    "Rows in all."
    tokens: int | None = Field(default=None, ge=1)
    "Or tokens in all, so that formats of unlike length may be compared."
    longer: Literal["refuse", "drop", "truncate"] = "refuse"
    "What becomes of rows longer than the model reads."
