"""The contract between `study` and `analysis`: columns of the files, and what a score means.

A *score* is at most 1, higher is better: the metric's mean over a cell's items. It is a fraction
between 0 and 1 unless the metric's range says otherwise: one corrected for chance may be negative.
`chance` is the score of random guessing; `stderr` covers the sampling of items alone. A
*chance-normalised* score is (score - chance) / (1 - chance): 0 at chance, 1 for all correct.
"""

from __future__ import annotations

import hashlib
from typing import get_args

from study.config.arms import ROLES
from study.config.tasks import Exposure

__all__ = [
    "BY_LENGTH",
    "CORRELATIONS",
    "EXPOSURES",
    "ITEMS",
    "LEVELS",
    "QUESTIONS",
    "RESPONSES",
    "ROLES",
    "SCORES",
    "text_code",
]

EXPOSURES: tuple[str, ...] = get_args(Exposure)

# One row per (pair, role, arm, task, draw). An empty cell means unknown.
SCORES: dict[str, str] = {
    "pair": "str",
    "family": "str",
    "params_b": "float",
    "model": "str",
    "role": "str",
    "arm": "str",
    "task": "str",
    "task_type": "str",
    "exposure": "str",
    "draw": "Int64",
    "score": "float",
    "stderr": "float",
    "n_items": "Int64",
    "chance": "float",
    "metric": "str",
    "source": "str",
}

# One row per (contrast, level, estimand, coefficient, correction).
CORRELATIONS: dict[str, str] = {
    "contrast": "str",
    "x_arm": "str",
    "y_arm": "str",
    "level": "str",
    "task_type": "str",
    "task": "str",
    "estimand": "str",
    "coefficient": "str",
    "corrected": "str",
    "n_pairs": "Int64",
    "n_families": "Int64",
    "n_tasks": "Int64",
    "estimate": "float",
    "low": "float",
    "high": "float",
    "p": "float",
    "p_adjusted": "float",
    "method": "str",
    "covers": "str",
    "note": "str",
}

LEVELS: tuple[str, ...] = ("overall", "type", "task")

# Per item of a cell, with Arrow types. `choice` is a number that is equal for equal answers: the
# index of the likeliest option as the metric weighs it, or a code of the generated text.
ITEMS: dict[str, str] = {"item": "int64", "score": "float64", "choice": "int64"}

# Per item of a cell's responses. Lists run over the requests of the item, which for most tasks are
# its choices: `logprobs` are natural logarithms summed over the tokens of a continuation, `greedy`
# says whether greedy search would give it, `tokens`, `bytes` and `characters` are its lengths.
# `texts` are the generated responses, several if the task repeats its request; in a thinking arm
# without their thinking, of which `thinking_tokens` is the length and `thinking_exhausted` says
# whether it used up its budget.
RESPONSES: dict[str, str] = {
    "item": "int64",
    "prompt_hash": "string",
    "shots": "int64",
    "truncated": "bool",
    "logprobs": "list<float64>",
    "greedy": "list<bool>",
    "tokens": "list<int64>",
    "bytes": "list<int64>",
    "characters": "list<int64>",
    "texts": "list<string>",
    "thinking_tokens": "list<int64>",
    "thinking_exhausted": "list<bool>",
}

# Per item of a task, so that one can read what was asked.
QUESTIONS: dict[str, str] = {
    "item": "int64",
    "question": "string",
    "choices": "list<string>",
    "gold": "string",
    "passage": "string",
    "factors": "map<string,string>",
}

BY_LENGTH = "acc_norm"
"lm-eval's metric that divides an option's log-probability by its length."


def text_code(text: str) -> int:
    """A 64-bit code of a text; texts that differ in white space alone have the same code.

    >>> text_code("one  passage") == text_code("one passage\\n")
    True
    """
    digest = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
