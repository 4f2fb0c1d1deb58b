"""From a question to a conversation: what the model is told, and what it is taught to answer.

In: a `Shown`, and further ones for demonstrations. Out: turns.

    flan                  the instruction in one of its first five wordings; the answer
    samplegen             the same instruction; demonstrations of the task, the question restated,
                          the answer: the model writes its own context (Bigoulaeva et al. 2025)
    samplegen_corrupted   demonstrations and the restated question say nothing, the answer stands
    samplegen_other_task  demonstrations come from a task of another type
    samplegen_unanswered  the restated question is left without its answer
    samplegen_neutral, flan_neutral   fields under names that tell nothing
    chat                  documents as in flan

Conversations that stand in files as such are kept in every format.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from study.config.tuning.mixtures import Format
from study.config.wording import Layout
from study.tuning.data.sources import Chat, Shown, Turn

WORDINGS_USED = 5
"Of a task's wordings, as in the source."
DEMONSTRATIONS = 2


def conversation(
    row: Shown | Chat,
    demonstrations: Sequence[Shown],
    format: Format,
    layout: Layout,
    rng: random.Random,
) -> tuple[Turn, ...]:
    """The turns of one row; `demonstrations` are used by the formats that write some."""
    if isinstance(row, Chat):
        return row.turns
    told = row.before + rng.choice(row.wordings[:WORDINGS_USED])
    if format == "flan_neutral":
        told = row.before + layout.asked(layout.unnamed(row.fields))
    if not format.startswith("samplegen"):
        return Turn("user", told), Turn("assistant", layout.direct.format(answer=row.answer))
    told = layout.writing.format(text=told)
    return Turn("user", told), Turn("assistant", written(row, demonstrations, format, layout))


def written(row: Shown, demonstrations: Sequence[Shown], format: Format, layout: Layout) -> str:
    """What a model is taught to write before and with its answer."""
    parts = []
    for number, shown in enumerate(demonstrations, start=1):
        fields, answer = shown.fields, shown.answer
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
        parts.append(layout.asked(fields))
    else:
        parts.append(layout.solved(fields, row.answer))
    return "".join(parts) + layout.end
