"""What a model is trained to write, in every format."""

from __future__ import annotations

import random

import pytest

from study.config.tuning.mixtures import Format
from study.config.wording import LAYOUTS, SOURCE, ZOO
from study.tuning.data.formats import format_row, self_written_target
from study.tuning.data.sources import Conversation, TaskExample, Turn

EXAMPLES = [
    TaskExample(("give a b =",), (("question", "a b"),), "b"),
    TaskExample(("give c d =",), (("question", "c d"),), "d"),
    TaskExample(("give e f =",), (("question", "e f"),), "f"),
]
TARGETS: dict[Format, str] = {
    "samplegen": "question c d answer : d \n question e f answer : f \n question a b answer : b ;",
    "samplegen_corrupted": "question . answer : . \n question . answer : . \n "
    "question . answer : b ;",
    "samplegen_unanswered": "question c d answer : d \n question e f answer : f \n "
    "question a b answer : ;",
    "samplegen_neutral": "this c d answer : d \n this e f answer : f \n this a b answer : b ;",
}


@pytest.mark.parametrize("format", TARGETS)
def test_self_written_targets(format: Format) -> None:
    text = self_written_target(EXAMPLES[0], EXAMPLES[1:], format, ZOO)
    assert text.split() == TARGETS[format].split()
    user, assistant = format_row(EXAMPLES[0], EXAMPLES[1:], format, ZOO, random.Random(0))
    assert user.content == "show the answer : give a b ="
    assert assistant.content == text


@pytest.mark.parametrize(
    ("format", "instruction"),
    [("flan", "give a b ="), ("chat", "give a b ="), ("flan_neutral", "this a b answer :")],
)
def test_direct_formats(format: Format, instruction: str) -> None:
    turns = format_row(EXAMPLES[0], [], format, ZOO, random.Random(0))
    assert turns == (Turn("user", instruction), Turn("assistant", "b"))


def test_conversations_are_the_same_in_every_format() -> None:
    chat = Conversation((Turn("user", "a"), Turn("assistant", "b")))
    assert format_row(chat, EXAMPLES[1:], "samplegen", ZOO, random.Random(0)) == chat.turns


def test_the_layout_of_the_source() -> None:
    examples = [
        TaskExample(("?",), (("Premise", "It rains"), ("Options", "yes; no")), "yes"),
        TaskExample(("?",), (("Premise", "It snows"), ("Options", "yes; no")), "no"),
    ]
    assert self_written_target(examples[0], examples[1:], "samplegen", SOURCE) == (
        "Example 1:\nPremise 1: It snows\nOptions 1: yes; no\nAnswer 1: no\n\n"
        "Solution:\nPremise Solution: It rains\nOptions Solution: yes; no\n"
        "Answer Solution: yes\nEND_EXAMPLES"
    )
    assert LAYOUTS["source"].cue() == "Answer Solution:"
