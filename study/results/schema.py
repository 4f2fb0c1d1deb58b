"""What `study` and `analysis` must agree on: the columns of their files and what a score means.

No heavy import stands here, so that either layer can be used without the other's libraries.

A *score* is a fraction between 0 and 1, higher is better, the metric's mean over the cell's items.
`chance` is the score that answering at random gets; `stderr` covers the sampling of items alone.
A *chance-normalised* score is (score - chance) / (1 - chance): 0 at chance, 1 for all right.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Role = Literal["base", "tuned"]
Exposure = Literal["seen_task", "unseen_task", "unseen_type", ""]

ROLES: tuple[str, ...] = ("base", "tuned")
EXPOSURES: tuple[str, ...] = ("seen_task", "unseen_task", "unseen_type", "")

# One row per (pair, role, arm, task, draw). An empty cell means unknown.
SCORES: dict[str, str] = {
    "pair": "str", "family": "str", "params_b": "float", "model": "str", "role": "str",
    "arm": "str", "task": "str", "task_type": "str", "exposure": "str", "draw": "Int64",
    "score": "float", "stderr": "float", "n_items": "Int64", "chance": "float", "metric": "str",
    "source": "str",
}  # fmt: skip

# One row per (contrast, level, estimand, coefficient, correction).
CORRELATIONS: dict[str, str] = {
    "contrast": "str", "x_arm": "str", "y_arm": "str", "level": "str", "task_type": "str",
    "task": "str", "estimand": "str", "coefficient": "str", "corrected": "str",
    "n_pairs": "Int64", "n_families": "Int64", "n_tasks": "Int64", "estimate": "float",
    "low": "float", "high": "float", "p": "float", "p_adjusted": "float", "method": "str",
    "covers": "str", "note": "str",
}  # fmt: skip

LEVELS: tuple[str, ...] = ("overall", "type", "task")

# Per item of a cell. Lists run over the item's choices and are empty for generated answers:
# `logprobs` are natural logarithms summed over a choice's tokens, `lengths` its characters.
ITEMS: tuple[str, ...] = (
    "item", "gold", "score", "logprobs", "lengths", "text", "prompt_hash", "shots", "truncated",
)  # fmt: skip


BY_LENGTH = "acc_norm"
"lm-eval's metric that weighs an option's log-probability by its length."


def text_code(text: str) -> int:
    """A number for a text, the same for texts that differ in white space alone.

    >>> text_code("one  passage") == text_code("one passage\\n")
    True
    """
    digest = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def chance_normalised(score: float, chance: float) -> float:
    """(score - chance) / (1 - chance).

    >>> round(chance_normalised(0.55, 0.25), 12)
    0.4
    """
    return (score - chance) / (1.0 - chance)
