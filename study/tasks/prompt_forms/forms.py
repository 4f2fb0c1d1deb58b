"""A task asked in another form: the same items, other words around them.

In: a loaded lm-eval task, an arm, the study's layout and answers. Out: a task that renders prompts
and scores answers in the arm's form; everything else of it is lm-eval's, on the very same items.

    fields        demonstrations and question field by field (Gold-Pipeline, with 2 shots)
    corrupted     so, and the demonstrations say nothing
    othertask     so, with the demonstrations of a task of another type
    unanswered    so, demonstrations without answers
    neutral       so, fields under names that tell nothing
    wording<1-6>  the question in ever more words
    lettered      with lettered options
    adversarial   with an instruction to answer nothing
    translated    everything in another tongue
    translated_told   only the words of the instruction
    marked        with the context indicator's marker
    writes        the tuned model writes demonstrations, then answers (SampleGen-Direct)
    written       the base model is given what the tuned one wrote (SampleGen-Pipeline)
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from study.config.arms import FIELD_FORMS, Arm
from study.config.entries import ListedTask
from study.config.study import Study
from study.config.wording import Fields, Layout
from study.errors import StudyError
from study.scorers.extraction import extracted, extracted_as_released, of_letter, score
from study.tasks.prompt_forms.documents import answer_of, fields_of, options_of
from study.tuning.data.marking import with_marker

Document = dict[str, Any]


@dataclass(frozen=True)
class Demonstrator:
    """The task that a cell's demonstrations come from."""

    task: Any
    listed: ListedTask


@dataclass(frozen=True)
class Asking:
    """All that a form needs beside the task and the arm."""

    study: Study
    run: Path
    listed: ListedTask
    demonstrator: Demonstrator | None = None
    "Where it is another task."
    written: Mapping[int, str] = field(default_factory=dict)
    "By item, what the pair's tuned model wrote."
    place_of: Callable[[Document], int] = lambda document: -1
    "The item's number."

    @property
    def layout(self) -> Layout:
        """The study's."""
        return self.study.layout


def formed(task: Any, arm: Arm, asking: Asking) -> Any:
    """The task in the arm's form; the task itself where the arm has none and answers are read as
    the task reads them."""
    if arm.form is None and asking.study.answers.choose == "task":
        return task
    if task.multiple_input:
        raise StudyError(asking.listed.task, found="choices that are whole texts",
                         expected=f"a task that can be asked as {arm.name}")  # fmt: skip
    made = copy.copy(task)
    if arm.form in FIELD_FORMS:
        made.fewshot_context = _in_fields(made, arm.form, asking)
    elif arm.form == "written":
        made.fewshot_context = lambda document, *_, **__: _up_to_the_answer(
            asking.written[asking.place_of(document)], asking.layout
        )
    elif arm.form is not None:
        _reworded(made, task, arm.form, asking)
    if asking.study.answers.choose != "task":
        _generating(made, task, arm, asking)
    return made


def _in_fields(task: Any, form: str, asking: Asking) -> Callable[..., str]:
    layout = asking.layout
    by = asking.demonstrator or Demonstrator(task, asking.listed)

    def shown(document: Document, number: int) -> str:
        fields = fields_of(by.task, document, by.listed.fields)
        answer = answer_of(by.task, document)
        if form == "corrupted":
            fields, answer = tuple((name, layout.blank) for name, _ in fields), layout.blank
        if form == "neutral":
            fields = layout.unnamed(fields)
        text = layout.demonstration(fields, "" if form == "unanswered" else answer, number)
        return text.rstrip() + layout.after

    def context(document: Document, num_fewshot: int, **_: Any) -> str:
        fields: Fields = fields_of(task, document, asking.listed.fields)
        if form == "neutral":
            fields = layout.unnamed(fields)
        documents = task.sampler.sample(n=num_fewshot, eval_doc=document) if num_fewshot else []
        demonstrations = [shown(each, number) for number, each in enumerate(documents, start=1)]
        return "".join(demonstrations) + layout.asked(fields)

    return context


def _up_to_the_answer(written: str, layout: Layout) -> str:
    """What was written, up to where the answer to the question begins; all of it without a cue."""
    before, cue, _ = written.rpartition(layout.cue())
    return before + cue if cue else written


def _reworded(made: Any, task: Any, form: str, asking: Asking) -> None:
    """Overrides what the task says of its documents; `made` and `task` share everything else."""
    layout, listed = asking.layout, asking.listed

    def text_of(document: Document, template: Any = None) -> str:
        text = str(task.doc_to_text(document, template))
        if form == "writes":
            return layout.writing.format(text=text)
        if form.startswith("wording"):
            return layout.wordings[int(form.removeprefix("wording")) - 1].format(text=text)
        if form == "lettered":
            options = options_of(task, document, listed.options)
            return layout.with_options(text, options)
        if form == "adversarial":
            return layout.adversarial.format(text=text)
        if form == "marked":
            return with_marker(text, asking.study.marker())
        spared = ""
        if form == "translated_told":
            spared = " ".join(value for _, value in fields_of(task, document, listed.fields))
        return translation(asking).say(text, spared=spared)

    made.doc_to_text = text_of
    if form == "translated":
        say = translation(asking).say
        made.doc_to_choice = lambda document, *_: [say(c) for c in task.doc_to_choice(document)]
        made.doc_to_target = lambda document, *_: (
            say(target) if isinstance(target := task.doc_to_target(document), str) else target
        )
    if form == "lettered":

        def letter(document: Document) -> str:
            options = options_of(task, document, listed.options)
            return layout.letters[options.index(answer_of(task, document))]

        if task.config.doc_to_choice is not None:
            made.doc_to_choice = lambda document, *_: list(
                layout.letters[: len(task.doc_to_choice(document))]
            )
        else:
            made.doc_to_target = lambda document, *_: letter(document)


def _generating(made: Any, task: Any, arm: Arm, asking: Asking) -> None:
    """Makes the task one that generates a text and scores the answer in it."""
    from lm_eval.api.metrics import mean
    from lm_eval.filters import build_filter_ensemble

    how, layout, listed = asking.study.answers, asking.layout, asking.listed
    ends = [layout.end.strip()] if arm.form == "writes" else ["\n"]
    made.OUTPUT_TYPE = "generate_until"
    made._config = copy.copy(task.config)
    made._config.generation_kwargs = {
        "until": [end for end in ends if end], "do_sample": False,
        "max_gen_toks": how.writing_tokens if arm.form == "writes" else how.tokens,
    }  # fmt: skip
    made._filters = [build_filter_ensemble("answer", [("take_first", None)])]
    made.aggregation = lambda: {how.metric: mean}

    def scored(document: Document, results: list[str]) -> dict[str, float]:
        options = options_of(task, document, listed.options)
        gold = answer_of(task, document)
        if arm.form == "translated":
            say = translation(asking).say
            options, gold = [say(option) for option in options], say(gold)
        if how.extraction == "same":
            answer = extracted(results[0], layout)
        else:
            answer = extracted_as_released(
                results[0], layout, tuned=arm.role == "tuned", options=options
            )
        if arm.form == "lettered":
            answer = of_letter(answer, options, layout.letters)
        return {how.metric: score(answer, gold, options, how)}

    made.process_results = scored


@dataclass(frozen=True)
class Translation:
    """Words and what they are called in the other tongue."""

    words: Mapping[str, str]

    def say(self, text: str, *, spared: str = "") -> str:
        """The text word by word; words of `spared` stay, as do those that are not known."""
        kept = set(spared.split())
        return " ".join(w if w in kept else self.words.get(w, w) for w in text.split(" "))


def translation(asking: Asking) -> Translation:
    """The layout's; StudyError if it has none."""
    if asking.layout.translated is None:
        raise StudyError(asking.run / "study.yaml", "layout.translated", found="nothing",
                         expected="a JSON file with words and their translation")  # fmt: skip
    return _translation(asking.layout.translated, asking.run)


@cache
def _translation(name: str, run: Path) -> Translation:
    if name == "zoo":
        from study.zoo.cipher import CIPHER

        return Translation(CIPHER)
    path = run / name
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StudyError(path, found=f"{error}", expected="a JSON file of words") from None
    if not isinstance(words, dict) or not all(isinstance(word, str) for word in words.values()):
        raise StudyError(path, found="something else", expected="an object of words and words")
    return Translation(words)
