"""Demonstrations that the tuned model writes, and their use by its base; and what they are worth.

    writes    the tuned model writes demonstrations, then answers (SampleGen-Direct)
    written   the base model reads what the tuned model wrote (SampleGen-Pipeline)

After Bigoulaeva et al. (2025). A model that copies the item into its demonstrations, with the
answer, has answered and demonstrated nothing; `check_written` measures that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from typing_extensions import override

from study.config.scorers import Answers
from study.config.wording import Fields, Layout
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.documents import Question, normalised_answer


class Writes(PromptForm):
    """The tuned model is asked to write demonstrations before it answers."""

    name = "writes"
    for_writers = True
    needs_scorer = True

    @override
    def fits(self, role: str, shots: int, chat: bool) -> str:
        if role != "tuned" or shots:
            return "a tuned model without shots where the form is writes: it writes its own"
        return ""

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return context.layout.writing.format(text=question.text)

    @override
    def extra_text(self, context: PromptContext) -> str:
        return context.layout.writing.format(text="")

    @override
    def generation(self, answers: Answers, layout: Layout) -> tuple[list[str], int]:
        return [layout.end.strip()], answers.writing_tokens

    @override
    def response_summary(
        self, responses: Sequence[str], questions: Sequence[Question], context: PromptContext
    ) -> dict[str, float]:
        fields = [question.fields for question in questions]
        gold = [question.answer for question in questions]
        return check_written(responses, fields, gold, context.layout)


class Written(PromptForm):
    """The base model continues the demonstrations that its tuned model wrote for the same item."""

    name = "written"
    whole_prompt = True
    reads = Writes.name
    for_writers = True
    needs_scorer = True

    @override
    def fits(self, role: str, shots: int, chat: bool) -> str:
        if role != "base" or shots:
            return (
                "a base model without shots where the form is written: it reads its tuned model's"
            )
        return ""

    @override
    def render(
        self, question: Question, demonstrations: Sequence[Question], context: PromptContext
    ) -> str:
        return up_to_the_answer(context.responses[question.index], context.layout)


def up_to_the_answer(response: str, layout: Layout) -> str:
    """The response up to its last answer cue, inclusive; all of it without a cue."""
    before, cue, _ = response.rpartition(layout.cue())
    return before + cue if cue else response


def demonstrations_in(text: str, layout: Layout, names: Sequence[str]) -> list[tuple[Fields, str]]:
    r"""The demonstrations in a response that follow the layout: (fields of these names, answer).

    >>> from study.config.wording import ZOO
    >>> demonstrations_in("question a b answer : b \n question c answer :", ZOO, ["question"])
    [((('question', 'a b'),), 'b')]
    """
    demonstrations = []
    for number in range(1, text.count("\n") + 2):
        values = tuple((name, f"\ue000{i}\ue001") for i, name in enumerate(names))
        pattern = re.escape(layout.demonstration(values, "\ue000answer\ue001", number).strip())
        pattern = re.sub("\ue000(\\w+)\ue001", r"(?P<g\1>[^\\n]*?)", pattern)
        match = re.search(rf"(?:^|\n)[ \t]*{pattern}[ \t]*(?=\n)", text)
        if match is None:
            break
        fields = tuple((name, match[f"g{i}"].strip()) for i, name in enumerate(names))
        demonstrations.append((fields, match["ganswer"].strip()))
        text = text[match.end() :]
    return demonstrations


def check_written(
    responses: Sequence[str], questions: Sequence[Fields], answers: Sequence[str], layout: Layout
) -> dict[str, float]:
    """Shares of items whose response

    - contains a demonstration that follows the layout (`parsed`),
    - has the item's own question among its demonstrations (`copied`),
    - has a demonstration with the item's answer (`same_answer`),
    - restates the question as it was given (`restated`).
    """
    parsed, copied, same, restated = [], [], [], []
    for response, fields, answer in zip(responses, questions, answers, strict=True):
        shown = demonstrations_in(response, layout, [name for name, _ in fields])
        parsed.append(bool(shown))
        copied.append(any(_same_fields(question, fields) for question, _ in shown))
        gold = normalised_answer(answer)
        same.append(any(normalised_answer(written) == gold for _, written in shown))
        restated.append(_single_spaced(layout.question(fields)) in _single_spaced(response))
    return {
        "parsed": fmean(parsed),
        "copied": fmean(copied),
        "same_answer": fmean(same),
        "restated": fmean(restated),
    }


def _same_fields(first: Fields, second: Fields) -> bool:
    return [normalised_answer(value) for _, value in first] == [
        normalised_answer(value) for _, value in second
    ]


def _single_spaced(text: str) -> str:
    return " ".join(text.split())
