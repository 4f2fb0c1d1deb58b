"""What zoo models read: documents of repeated demonstrations, then instructions with answers.

In: a seed and a recipe's weights. Out: numpy arrays of token ids.
`pretraining_rows` gives int16 [rows, length]; `tuning_rows` gives (ids, labels) of the same shape,
labels -100 wherever no loss is taken.

A pretraining document repeats one skill in one *frame*: a few words around question and answer,
drawn at random and kept through the document. So a model learns to take the frame and the skill
from the document itself, which is in-context learning. Only now and then does a title name the
skill: that is all that a base model can know of instructions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from study.zoo.language import (
    ASSISTANT,
    BOS,
    EOS,
    FUNCTION_WORDS,
    ID_OF,
    NEWLINE,
    PAD,
    SKILLS,
    USER,
)  # fmt: skip

IGNORED = -100
LONGEST_TUNING_ROW = 40

# The wordings of instructions. The first is also the evaluation's.
WORDINGS: tuple[str, ...] = (
    "give the {keyword} of {asked} =",
    "what is the {keyword} of {asked} ?",
    "{asked} : tell me the {keyword} .",
    "please find {keyword} for {asked} .",
    "say {keyword} : {asked}",
)

_SEPARATORS = (("=",), (":",), ("->",), ("?",), ("answer", ":"), ("is",), ("=",), (NEWLINE,))
_ENDS = ((NEWLINE,), (NEWLINE,), (";",), (".",), (NEWLINE, NEWLINE))


def document(rng: random.Random, skill: str, titled_share: float, longest: int) -> list[int]:
    """Token ids of one document: <bos>, perhaps a title that names the skill, demonstrations."""
    words = [BOS]
    if rng.random() < titled_share:
        words += [*rng.sample(FUNCTION_WORDS, rng.randrange(3)), skill, *rng.choice(_ENDS)]
    before = [rng.choice(FUNCTION_WORDS) for _ in range(rng.randrange(4))]
    between, after = rng.choice(_SEPARATORS), rng.choice(_ENDS)
    for _ in range(rng.randrange(2, 13)):
        question = SKILLS[skill].draw(rng)
        words += [*before, *question.asked, *between, *question.answer, *after]
        if len(words) > longest:
            break
    return [ID_OF[word] for word in words]


def pretraining_rows(
    *, seed: int, weights: Mapping[str, float], titled_share: float, rows: int, length: int
) -> np.ndarray:
    """int16 [rows, length]: documents one after the other, cut into rows."""
    rng = random.Random(seed)
    names, shares = list(weights), list(weights.values())
    stream: list[int] = []
    while len(stream) < rows * length:
        skill = rng.choices(names, shares)[0]
        stream += document(rng, skill, titled_share, length)
    return np.asarray(stream[: rows * length], dtype=np.int16).reshape(rows, length)


def tuning_rows(*, seed: int, skills: tuple[str, ...], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and labels, int16 [rows, LONGEST_TUNING_ROW]: one instruction each, loss on the output.

    The text is that of the chat template; the output is the answer with its <eos>.
    """
    rng = random.Random(seed)
    ids = np.full((rows, LONGEST_TUNING_ROW), ID_OF[PAD], dtype=np.int16)
    labels = np.full_like(ids, IGNORED)
    for row in range(rows):
        name = rng.choice(skills)
        question = SKILLS[name].draw(rng)
        instruction = rng.choice(WORDINGS).format(keyword=name, asked=" ".join(question.asked))
        prompt = [BOS, USER, *instruction.split(" "), ASSISTANT]
        output = [*question.answer, EOS]
        text = [ID_OF[word] for word in (*prompt, *output)]
        ids[row, : len(text)] = text
        labels[row, len(prompt) : len(text)] = text[len(prompt) :]
    return ids, labels
