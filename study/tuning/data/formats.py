"""Formats: from a task example to the conversation that is tuned on.

In: a `TaskExample`, and further ones as demonstrations. Out: turns.

    flan                  the instruction in one of its first five wordings; the answer
    samplegen             the same instruction; demonstrations of the task, the restated question
                          and its answer: the model writes its own context (Bigoulaeva et al. 2025)
    samplegen_corrupted   demonstrations and the restated question are blank; the answer is kept
    samplegen_other_task  the demonstrations are of a task of another type
    samplegen_unanswered  the restated question has no answer
    samplegen_neutral, flan_neutral   fields have uninformative names
    chat                  like flan

Conversations that a source gives as such stay the same in every format.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from study.config.tuning.mixtures import Format
from study.config.wording import Layout
from study.tuning.data.sources import PoolRow, TaskExample, Turn

USED_WORDINGS = 5
"Number of a task's wordings that are used, as in Bigoulaeva et al. (2025)."
DEMONSTRATIONS = 2
"Demonstrations in a self-written target."


def format_row(
    row: PoolRow,
    demonstrations: Sequence[TaskExample],
    format: Format,
    layout: Layout,
    rng: random.Random,
) -> tuple[Turn, ...]:
    """The turns of one row; formats that write demonstrations use `demonstrations`."""
    if not isinstance(row, TaskExample):
        return row.turns
    instruction = row.prefix + rng.choice(row.wordings[:USED_WORDINGS])
    if format == "flan_neutral":
        instruction = row.prefix + layout.question(layout.unnamed(row.fields))
    if not format.startswith("samplegen"):
        target = layout.direct.format(answer=row.answer)
        return Turn("user", instruction), Turn("assistant", target)
    instruction = layout.writing.format(text=instruction)
    target = self_written_target(row, demonstrations, format, layout)
    return Turn("user", instruction), Turn("assistant", target)


def self_written_target(
    row: TaskExample, demonstrations: Sequence[TaskExample], format: Format, layout: Layout
) -> str:
    """What a model is trained to write: demonstrations, the restated question, its answer."""
    parts = []
    for number, demonstration in enumerate(demonstrations, start=1):
        fields, answer = demonstration.fields, demonstration.answer
        if format == "samplegen_corrupted":
            fields = tuple((name, layout.blank) for name, _ in fields)
            answer = layout.blank
        elif format == "samplegen_neutral":
            fields = layout.unnamed(fields)
        parts += [layout.demonstration(fields, answer, number), layout.after]
    fields = row.fields
    if format == "samplegen_corrupted":
        fields = tuple((name, layout.nothing) for name, _ in fields)
    elif format == "samplegen_neutral":
        fields = layout.unnamed(fields)
    if format == "samplegen_unanswered":
        parts.append(layout.question(fields))
    else:
        parts.append(layout.answered(fields, row.answer))
    return "".join(parts) + layout.end
