"""The question in another language, word by word, by the dictionary that the layout names.

translated        question, choices and target
translated_told   only the instruction; the question's own fields stay
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from typing_extensions import override

from study.config.study import Study
from study.errors import StudyError
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question
from study.zoo.cipher import CIPHER


@dataclass(frozen=True)
class Translation:
    """A dictionary from words to their translations."""

    words: Mapping[str, str]

    def translate(self, text: str, *, except_in: str = "") -> str:
        """The text word by word; unknown words stay, and so do the words of `except_in`."""
        excepted = set(except_in.split())
        return " ".join(
            word if word in excepted else self.words.get(word, word) for word in text.split(" ")
        )


def translation_problem(study: Study) -> StudyError | None:
    """The error for a layout that names no translation, or one whose file cannot be read."""
    try:
        translation(study)
    except StudyError as error:
        return error
    return None


def translation(study: Study) -> Translation:
    """The layout's translation; StudyError if it names none, or its file cannot be read."""
    if study.layout.translated is None:
        raise study.error(
            "layout.translated",
            found="nothing",
            expected="a JSON file that maps words to their translations",
        )
    if study.layout.translated == "zoo":
        return Translation(CIPHER)
    return _read(study.folder / study.layout.translated)


@cache
def _read(path: Path) -> Translation:
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(path, found=f"{error}", expected="a JSON file of words") from None
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise StudyError(path, found="something else", expected="an object that maps words")
    return Translation(words)


class Translated(PromptForm):
    """Everything in the other language."""

    name = "translated"
    rewords_answers = True

    @override
    def problem(self, study: Study) -> StudyError | None:
        return translation_problem(study)

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return translation(context.study).translate(question.text)

    @override
    def choices(self, choices: list[str], context: PromptContext) -> list[str]:
        words = translation(context.study)
        return [words.translate(choice) for choice in choices]

    @override
    def target(self, target: object, question: Question, context: PromptContext) -> object:
        # Keys of finished cells mean the item's own target, even if lm-eval words the targets of
        # demonstrations differently.
        plain = question.task.doc_to_target(question.document)
        if not isinstance(plain, str):
            return plain  # an index into the choices
        return translation(context.study).translate(plain)

    @override
    def solution(self, question: Question, context: PromptContext) -> tuple[list[str], str]:
        words = translation(context.study)
        options = [words.translate(option) for option in question.options]
        return options, words.translate(question.answer)


class TranslatedInstruction(PromptForm):
    """The instruction in the other language, the content of the question unchanged."""

    name = "translated_told"

    @override
    def problem(self, study: Study) -> StudyError | None:
        return translation_problem(study)

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        content = " ".join(value for _, value in question.fields)
        return translation(context.study).translate(question.text, except_in=content)
