"""The training data of zoo models: documents of repeated demonstrations, and instructions.

In: a seed and the skills' weights. Out: numpy arrays of token ids: `pretraining_rows` gives int16
[rows, length]; `tuning_rows` gives (ids, labels) of the same shape, with labels −100 for tokens
that carry no loss.

A pretraining document repeats one skill in one *frame*: a few words around question and answer,
drawn at random for the document. A model thus learns to infer the frame and the skill from the
document itself, which is in-context learning. A small share of the documents has a title that names
the skill; this is all that a base model can know about instructions.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from study.zoo.language import ASSISTANT, BOS, EOS, FUNCTION_WORDS, ID_OF, NEWLINE, PAD, USER
from study.zoo.skills import SKILLS

IGNORED = -100
"Label of tokens that carry no loss."
TUNING_ROW_LENGTH = 40
"Tokens in one row of tuning data, padding included."

# Wordings of instructions. The first one is also that of the evaluation.
WORDINGS: tuple[str, ...] = (
    "give the {keyword} of {asked} =",
    "what is the {keyword} of {asked} ?",
    "{asked} : tell me the {keyword} .",
    "please find {keyword} for {asked} .",
    "say {keyword} : {asked}",
)

_SEPARATORS = (("=",), (":",), ("->",), ("?",), ("answer", ":"), ("is",), ("=",), (NEWLINE,))
_ENDS = ((NEWLINE,), (NEWLINE,), (";",), (".",), (NEWLINE, NEWLINE))


def document(rng: random.Random, skill: str, titled_share: float, max_length: int) -> list[int]:
    """Token ids of one document: <bos>, in a share of the documents a title, and demonstrations.

    It ends at the latest after the demonstration that exceeds `max_length`.
    """
    words = [BOS]
    if rng.random() < titled_share:
        words += [*rng.sample(FUNCTION_WORDS, rng.randrange(3)), skill, *rng.choice(_ENDS)]
    before = [rng.choice(FUNCTION_WORDS) for _ in range(rng.randrange(4))]
    between, after = rng.choice(_SEPARATORS), rng.choice(_ENDS)
    for _ in range(rng.randrange(2, 13)):
        question = SKILLS[skill].draw(rng)
        words += [*before, *question.words, *between, *question.answer, *after]
        if len(words) > max_length:
            break
    return [ID_OF[word] for word in words]


def pretraining_rows(
    *, seed: int, weights: Mapping[str, float], titled_share: float, rows: int, length: int
) -> np.ndarray:
    """int16 [rows, length]: concatenated documents, cut into rows."""
    rng = random.Random(seed)
    names, shares = list(weights), list(weights.values())
    stream: list[int] = []
    while len(stream) < rows * length:
        skill = rng.choices(names, shares)[0]
        stream += document(rng, skill, titled_share, length)
    return np.asarray(stream[: rows * length], dtype=np.int16).reshape(rows, length)


def tuning_rows(*, seed: int, skills: tuple[str, ...], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and labels, int16 [rows, TUNING_ROW_LENGTH]: one instruction a row, with loss on the
    output.

    The text is that of the chat template; the output is the answer followed by <eos>.
    """
    rng = random.Random(seed)
    ids = np.full((rows, TUNING_ROW_LENGTH), ID_OF[PAD], dtype=np.int16)
    labels = np.full_like(ids, IGNORED)
    for row in range(rows):
        name = rng.choice(skills)
        question = SKILLS[name].draw(rng)
        instruction = rng.choice(WORDINGS).format(keyword=name, asked=" ".join(question.words))
        prompt = [BOS, USER, *instruction.split(" "), ASSISTANT]
        output = [*question.answer, EOS]
        text = [ID_OF[word] for word in (*prompt, *output)]
        ids[row, : len(text)] = text
        labels[row, len(prompt) : len(text)] = text[len(prompt) :]
    return ids, labels
