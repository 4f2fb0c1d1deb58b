"""Zoo models, and training examples of the zoo."""

from __future__ import annotations

import random
from typing import Any

import torch

from study.config.tuning.methods import Loss
from study.models.pairs import zoo
from study.tuning.data.examples import LabelledExample
from study.tuning.data.label_weights import label_weights
from study.tuning.data.rendering import encode
from study.tuning.data.sources import Turn
from study.zoo.instructions import training_questions
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer

FAMILIES = ("llama-early-xs", "neox-early-xs", "olmo2-early-xs")


def model_of(member: str, dtype: torch.dtype = torch.float32) -> Any:
    from transformers import AutoModelForCausalLM

    path = next(pair for pair in zoo() if pair.name == member).base.path
    return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)


def untrained_model(member: str) -> Any:
    """A model of the member's architecture with random weights. (Those of a pretrained model have
    steep gradients, which float32 rounds to a few millionths.)"""
    from study.zoo.members import MEMBERS
    from study.zoo.training import untrained

    return untrained(MEMBERS[member].recipe)


def rows_of(loss: Loss, number: int = 9) -> list[LabelledExample]:
    rng = random.Random(5)
    rows = []
    for skill in ("reverse", "category", "lookup"):
        for wordings, _, answer, prefix in training_questions(skill, number // 3, rng, context=1):
            turns = (Turn("user", prefix + rng.choice(wordings)), Turn("assistant", answer))
            row = encode(turns, small_tokenizer("zoo"), rendered_from(small_tokenizer("zoo")))
            rows.append(LabelledExample(row, *label_weights(row, loss)))
    return rows
