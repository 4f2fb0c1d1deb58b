"""How much work a cell is: the tokens of its prompts, and how many of them are computed.

In: `ResolvedStudy` and its cells. Out: `Work`.

Tokens are counted with the model's own tokenizer if it is on this machine: every piece that prompts
are made of (questions, choices, demonstrations) of at most `SAMPLE` items a task, evenly spaced. A
text has nearly as many tokens as its pieces. Without the tokenizer, four characters count as one
token; without the data, the suite's numbers are used, and `assumed` counts these cells.

What requests share is computed once (study.inference): a cell's demonstrations once, every item's
question once, and its choices. Models that cannot be packed cost more than this. Thinking counts
with its whole budget.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from study.config.arms import Arm
from study.config.tasks import ListedTask
from study.models.chat_templates.rendering import Rendering
from study.models.folders.loading import is_fault
from study.models.tokenizers import template_tokens, token_counts, tree_tokens
from study.models.weights import ModelFacts
from study.planning.cells.cell import Cell
from study.planning.resolving.resolved_study import ResolvedStudy
from study.tasks.items import Document
from study.tasks.prompt_forms import PromptContext, prompt_form

SAMPLE = 200
CHARACTERS_PER_TOKEN = 4.0
ASSUMED_ITEMS, ASSUMED_TOKENS, ASSUMED_CHOICES, ASSUMED_ANSWER = 1000, 120, 4, 5
"For a task about which neither its data nor the suite says anything."


@dataclass(frozen=True)
class Work:
    """The work of some cells, summed."""

    cells: int = 0
    items: float = 0.0
    requests: float = 0.0
    prompt_tokens: float = 0.0
    "Tokens of all prompts with their answers, each in full."
    tokens: float = 0.0
    "Tokens that a model computes; shared ones count once."
    flops: float = 0.0
    "Floating-point operations: 2 per token and parameter."
    assumed: int = 0
    "Cells whose data are not available."

    @classmethod
    def sum(cls, works: Iterable[Work]) -> Work:
        """The sum of the parts."""
        values = [tuple(vars(work).values()) for work in works]
        return cls(*map(sum, zip(*values, strict=True))) if values else cls()


@dataclass(frozen=True)
class _Sizes:
    """Means over a task's items, as one tokenizer counts."""

    items: int
    choices: float
    question: float
    answers: float
    "Tokens of all choices of an item; the target's, if responses are generated."
    computed: float
    "Tokens of an item's question and answers that remain when items share their beginnings."
    demonstration: float
    description: float
    "Tokens of the task's description."
    assumed: bool


class WorkCounter:
    """Counts the work of cells, and caches what many of them share."""

    def __init__(self, resolved: ResolvedStudy) -> None:
        self.resolved = resolved
        self._sizes: dict[tuple[str, str], _Sizes] = {}
        self._work: dict[tuple[Any, ...], tuple[float, float, float, _Sizes]] = {}

    def work(self, cell: Cell, params_b: float) -> Work:
        """The work of a cell, for a model with `params_b` billion parameters."""
        model = self.resolved.models[cell.model]
        facts = None if isinstance(model, str) else model
        index = (facts.tokenizer if facts else "", cell.task.task, cell.arm.name, cell.rendering)
        if index not in self._work:
            try:
                self._work[index] = self._count(facts, cell.task, cell.arm, cell.rendering)
            except BaseException as error:  # a tokenizer may raise anything, for some texts only
                if facts is None or not is_fault(error):
                    raise
                # Without the tokenizer; its cells fail when they are run, with the reason.
                self._work[index] = self._count(None, cell.task, cell.arm, None)
        requests, prompt_tokens, tokens, sizes = self._work[index]
        flops = 2e9 * params_b * tokens
        return Work(1, sizes.items, requests, prompt_tokens, tokens, flops, int(sizes.assumed))

    def _count(
        self, facts: ModelFacts | None, task: ListedTask, arm: Arm, rendering: Rendering | None
    ) -> tuple[float, float, float, _Sizes]:
        """(requests, prompt tokens, computed tokens, sizes) of a task in an arm."""
        index = (facts.tokenizer if facts else "", task.task)
        if index not in self._sizes:
            self._sizes[index] = self._measure(facts, task)
        sizes = self._sizes[index]
        extra = self._extra_tokens(facts, arm)
        one_turn = _template_tokens(facts, rendering, 1) + extra
        turns = _template_tokens(facts, rendering, 1 + arm.shots if arm.multiturn else 1)
        before = sizes.description + arm.shots * sizes.demonstration + turns + extra
        requests = sizes.items * sizes.choices
        prompts = requests * (before + sizes.question) + sizes.items * sizes.answers
        computed = before + sizes.items * (sizes.computed + one_turn + arm.thinking_tokens)
        return requests, prompts, computed, sizes

    def _extra_tokens(self, facts: ModelFacts | None, arm: Arm) -> float:
        """Tokens that the arm's form adds to a question."""
        form = prompt_form(arm)
        if form is None:
            return 0.0
        text = form.extra_text(PromptContext(self.resolved.study))
        return _token_counts(facts, {text})[text] if text else 0.0

    def _measure(self, facts: ModelFacts | None, task: ListedTask) -> _Sizes:
        items, limit = self.resolved.items[task.task], self.resolved.study.limit
        if isinstance(items, str):
            return _assumed(self.resolved, task, limit)
        documents = items.evaluated(limit)
        sample, pool = _spaced(documents), _spaced(items.pool or documents)
        description = items.description
        tokens = _token_counts(facts, {description, *_pieces(sample), *_pieces(pool)})
        return _Sizes(
            items=len(documents),
            choices=fmean(max(1, len(d.choices)) for d in sample),
            question=fmean(tokens[d.text] for d in sample),
            answers=fmean(sum(tokens[a] for a in d.choices or (d.target,)) for d in sample),
            computed=_computed(facts, sample, tokens),
            demonstration=fmean(tokens[d.text] + tokens[_shown_answer(d)] for d in pool),
            description=tokens[description],
            assumed=False,
        )


def _template_tokens(facts: ModelFacts | None, rendering: Rendering | None, turns: int) -> int:
    """Tokens of a chat template; 0 where none is applied, or the model is not available."""
    if facts is None or rendering is None:
        return 0
    return template_tokens(facts.tokenizer, facts.folder, rendering, turns, facts.overrides)


def _shown_answer(document: Document) -> str:
    """The answer in a demonstration; a target that is an index refers to a choice."""
    return max(document.choices, key=len) if document.choices else document.target


def _pieces(documents: Iterable[Document]) -> set[str]:
    return {piece for d in documents for piece in (d.text, d.target, *d.choices)}


def _spaced(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    step = max(1, len(documents) // SAMPLE)
    return documents[::step]


def _token_counts(facts: ModelFacts | None, pieces: set[str]) -> dict[str, float]:
    if facts is None:
        return {piece: len(piece) / CHARACTERS_PER_TOKEN for piece in pieces}
    counts = token_counts(facts.tokenizer, facts.folder, pieces, facts.overrides)
    return {piece: float(counts[piece]) for piece in pieces}


def _computed(
    facts: ModelFacts | None, sample: tuple[Document, ...], tokens: dict[str, float]
) -> float:
    """Tokens of an item in the prefix tree of all questions with their answers. The last token of a
    choice is predicted, not read."""
    if facts is None:
        return fmean(tokens[d.text] + sum(tokens[a] for a in d.choices) for d in sample)
    generated = sum(tokens[d.target] for d in sample if not d.choices)
    texts = [(d.text + answer, bool(d.choices)) for d in sample for answer in d.choices or ("",)]
    shared = tree_tokens(facts.tokenizer, facts.folder, texts, facts.overrides)
    return (shared + generated) / len(sample)


def _assumed(resolved: ResolvedStudy, task: ListedTask, limit: int | None) -> _Sizes:
    items = task.items or ASSUMED_ITEMS
    generated = resolved.entries[task.task].config.get("output_type") == "generate_until"
    tokens = float(task.tokens or ASSUMED_TOKENS)
    choices = 1 if generated else ASSUMED_CHOICES
    answers = choices * ASSUMED_ANSWER
    return _Sizes(
        items=min(items, limit or items),
        choices=choices,
        question=tokens,
        answers=answers,
        computed=tokens + answers,
        demonstration=tokens,
        description=0,
        assumed=True,
    )
