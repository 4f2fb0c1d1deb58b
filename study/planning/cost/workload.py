"""How much work a cell is: tokens that its prompts have, and those of them that are computed.

In: `Resolved` and its cells. Out: `Work`.

Tokens are counted with the model's own tokenizer where it is on this machine: every piece that
prompts are made of (questions, choices, demonstrations) of at most `SAMPLE` items a task, evenly
spaced. A text has nearly as many tokens as its pieces. Where the model is not at hand, four
characters are a token; where the data is not, the suite's numbers stand in, and `assumed` says so.

What requests share is computed once (study/scoring): a cell's demonstrations once, every item's
question once, and its choices. Models that cannot be packed cost more than is said here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from study.config.arms import Arm
from study.config.entries import ListedTask
from study.models.weights import ModelFacts
from study.planning.cells import Cell, evaluated
from study.planning.resolve_study import Resolved
from study.tasks.items import Document, TaskItems
from study.tasks.truncation import template_tokens, token_counts, tokenizer_at

SAMPLE = 200
CHARACTERS_PER_TOKEN = 4.0
ASSUMED_ITEMS, ASSUMED_TOKENS, ASSUMED_CHOICES, ASSUMED_ANSWER = 1000, 120, 4, 5
"Of a task of which neither data nor the suite tells."


@dataclass(frozen=True)
class Work:
    """Of some cells; sums of what each of them is."""

    cells: int = 0
    items: float = 0.0
    requests: float = 0.0
    prompt_tokens: float = 0.0
    "Tokens of all prompts with their answers, each in full."
    tokens: float = 0.0
    "Those that a model computes, shared ones once."
    flops: float = 0.0
    "Floating-point operations: 2 for a token and parameter."
    assumed: int = 0
    "Cells of whose data nothing is at hand."

    @classmethod
    def sum(cls, works: Iterable[Work]) -> Work:
        """All of it together."""
        listed = [tuple(vars(work).values()) for work in works]
        return cls(*map(sum, zip(*listed, strict=True))) if listed else cls()


@dataclass(frozen=True)
class _Sizes:
    """Means over a task's items, as one tokenizer counts."""

    items: int
    choices: float
    question: float
    answers: float
    "Tokens of all choices of an item together; of a generated answer, the target's."
    computed: float
    "Of an item's question and answers, what is left when items share their beginnings."
    shown: float
    "Of a demonstration."
    about: float
    "Of the task's description."
    assumed: bool


class Counting:
    """Counts the work of cells, remembering what many of them share."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved
        self._sizes: dict[tuple[str, str], _Sizes] = {}
        self._work: dict[tuple[str, str, str], tuple[float, float, float, _Sizes]] = {}

    def work(self, cell: Cell, params_b: float) -> Work:
        """Of one cell."""
        found = self.resolved.models[cell.model]
        facts = None if isinstance(found, str) else found
        at = (facts.tokenizer if facts else "", cell.task.task, cell.arm.name)
        if at not in self._work:
            self._work[at] = self._of(facts, cell.task, cell.arm)
        requests, prompt_tokens, tokens, sizes = self._work[at]
        flops = 2e9 * params_b * tokens
        return Work(1, sizes.items, requests, prompt_tokens, tokens, flops, int(sizes.assumed))

    def _of(
        self, facts: ModelFacts | None, task: ListedTask, arm: Arm
    ) -> tuple[float, float, float, _Sizes]:
        at = (facts.tokenizer if facts else "", task.task)
        if at not in self._sizes:
            self._sizes[at] = self._measured(facts, task)
        sizes = self._sizes[at]
        marks = _marks(facts, arm, 1)
        turns = _marks(facts, arm, 1 + arm.shots if arm.multiturn else 1)
        before = sizes.about + arm.shots * sizes.shown + turns
        requests = sizes.items * sizes.choices
        prompts = requests * (before + sizes.question) + sizes.items * sizes.answers
        computed = before + sizes.items * (sizes.computed + marks)
        return requests, prompts, computed, sizes

    def _measured(self, facts: ModelFacts | None, task: ListedTask) -> _Sizes:
        found, limit = self.resolved.items[task.task], self.resolved.study.limit
        if isinstance(found, str):
            return _assumed(self.resolved, task, limit)
        documents = evaluated(found, limit)
        asked, pool = _spaced(documents), _spaced(found.pool or documents)
        about = str(self.resolved.loaded[task.task].config.description or "")
        tokens = _counts(facts, {about, *_pieces(asked), *_pieces(pool)})
        return _Sizes(
            items=len(documents),
            choices=fmean(max(1, len(d.choices)) for d in asked),
            question=fmean(tokens[d.text] for d in asked),
            answers=fmean(sum(tokens[a] for a in d.choices or (d.target,)) for d in asked),
            computed=_computed(facts, asked, tokens),
            shown=fmean(tokens[d.text] + tokens[_shown(found, d)] for d in pool),
            about=tokens[about],
            assumed=False,
        )


def _marks(facts: ModelFacts | None, arm: Arm, turns: int) -> int:
    """Tokens of a chat template; none where the tokenizer has none, which the run will say."""
    if facts is None or not arm.template:
        return 0
    try:
        return template_tokens(facts.folder, turns, facts.dress)
    except ValueError:
        return 0


def _shown(items: TaskItems, document: Document) -> str:
    """The answer as a demonstration shows it: a target that is an index stands for a choice."""
    return max(document.choices, key=len) if document.choices else document.target


def _pieces(documents: Iterable[Document]) -> set[str]:
    return {piece for d in documents for piece in (d.text, d.target, *d.choices)}


def _spaced(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    step = max(1, len(documents) // SAMPLE)
    return documents[::step]


def _counts(facts: ModelFacts | None, pieces: set[str]) -> dict[str, float]:
    if facts is None:
        return {piece: len(piece) / CHARACTERS_PER_TOKEN for piece in pieces}
    counted = token_counts(facts.tokenizer, facts.folder, pieces, facts.dress)
    return {piece: float(counted[piece]) for piece in pieces}


def _computed(
    facts: ModelFacts | None, asked: tuple[Document, ...], tokens: dict[str, float]
) -> float:
    """Tokens of an item in the tree of all questions with their answers. The last token of a choice
    is looked up and not read."""
    if facts is None:
        return fmean(tokens[d.text] + sum(tokens[a] for a in d.choices) for d in asked)
    generated = sum(tokens[d.target] for d in asked if not d.choices)
    texts = [d.text + answer for d in asked for answer in d.choices or ("",)]
    cut = [-1 if d.choices else None for d in asked for _ in d.choices or ("",)]
    read = tokenizer_at(facts.folder, facts.dress)(texts, add_special_tokens=False).input_ids
    paths = sorted(ids[:end] for ids, end in zip(read, cut, strict=True))
    shared = sum(_alike(one, other) for one, other in pairwise(paths))
    return (sum(map(len, paths)) - shared + generated) / len(asked)


def _alike(one: list[int], other: list[int]) -> int:
    """How many tokens two begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _assumed(resolved: Resolved, task: ListedTask, limit: int | None) -> _Sizes:
    items = task.items or ASSUMED_ITEMS
    generated = resolved.entries[task.task].config.get("output_type") == "generate_until"
    tokens = float(task.tokens or ASSUMED_TOKENS)
    choices = 1 if generated else ASSUMED_CHOICES
    read = choices * ASSUMED_ANSWER
    of_item = tokens + read
    return _Sizes(min(items, limit or items), choices, tokens, read, of_item, tokens, 0, True)
