"""Training rows of very different lengths, labelled on outputs only.

In: a number of rows, a tokenizer. Out: `LabelledExample`s. Half of the rows answer directly, half
write demonstrations first, and a fifth have a long context: the spread of lengths of the first
source paper.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from study.config.tuning.methods import Loss
from study.config.wording import ZOO
from study.models.chat_templates.rendering import TokenizerTemplate, rendering
from study.tuning.data.examples import LabelledExample
from study.tuning.data.formats import format_row
from study.tuning.data.label_weights import label_weights
from study.tuning.data.rendering import encode
from study.tuning.data.sources import TaskExample
from study.zoo.instructions import training_questions
from study.zoo.skills import SKILLS

LOSS = Loss(over="output", normalise="token")
MAX_LENGTH = 150


def generate_rows(number: int, tokenizer: Any) -> list[LabelledExample]:
    """Rows of at most `MAX_LENGTH` tokens."""
    rng = random.Random(0)
    template = TokenizerTemplate.of(tokenizer)
    rendered = rendering(template, date=dt.date(2026, 1, 1), arguments={})
    rows: list[LabelledExample] = []
    while len(rows) < number:
        skill = rng.choice(list(SKILLS))
        context = rng.choice((0, 0, 0, 0, 6))
        examples = [
            TaskExample(*parts) for parts in training_questions(skill, 3, rng, context=context)
        ]
        format = rng.choice(("flan", "samplegen"))
        turns = format_row(examples[0], examples[1:], format, ZOO, rng)  # type: ignore[arg-type]
        encoded = encode(turns, tokenizer, rendered)
        if len(encoded.ids) <= MAX_LENGTH:
            rows.append(LabelledExample(encoded, *label_weights(encoded, LOSS)))
    return rows
