"""Truncation: how many demonstrations of each item's prompt fit into the context window.

In: the variants in which prompts with one number of shots are read (`PromptVariant`: arm,
tokenizer, context window), a task's items and a draw. Out: for every item the number of
demonstrations that fits in every variant, on both sides of a pair alike; None if all fit
everywhere. A prompt that is too long loses whole demonstrations, the last ones; lm-eval would cut
it from the left, through the first demonstration and <bos>.

Two bounds avoid most of the work: a token has at least one byte, and a text has no more tokens than
its pieces together. Only where neither shows that everything fits is every prompt rendered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from study.config.arms import Arm
from study.errors import printable
from study.models.chat_templates.rendering import ChatTemplate, Rendering, chat_template
from study.models.chat_templates.thinking import reserved_tokens
from study.models.folders.loading import MAX_CAUSE, is_fault
from study.models.tokenizers import (
    TokenizerOverrides,
    cached_tokenizer,
    encode_prompts,
    template_tokens,
    token_counts,
)
from study.tasks.demonstrations import Demonstrations, fixed_sampler
from study.tasks.items import Document
from study.tasks.lm_eval.types import LmEvalTask

MARGIN = 3
"Tokens by which a turn may exceed its pieces and the template: delimiters."
TEMPLATE_BYTES = 1500
"More bytes than a chat template adds to a prompt of one turn."
MAX_GENERATED_TOKENS = 256
"lm-eval's default for tasks that do not say how much they generate."


@dataclass(frozen=True)
class PromptVariant:
    """One way in which prompts with a number of shots are read."""

    arm: Arm
    rendering: Rendering | None
    "What the chat template is rendered from, in an arm with one."
    tokenizer: str
    "Digest of the tokenizer's files."
    window: int
    "Context window in tokens."
    folder: Path = field(compare=False)
    "Folder of the tokenizer."
    overrides: TokenizerOverrides | None = field(default=None, compare=False)
    "What a recipe changes about the tokenizer."

    @property
    def thinking(self) -> int:
        """Tokens of the window that are reserved for thinking."""
        return reserved_tokens(self.rendering, self.arm.thinking_tokens)


class VariantError(Exception):
    """The prompts of a variant cannot be rendered or tokenized."""

    def __init__(self, folder: Path, error: BaseException) -> None:
        self.folder = folder
        cause = printable(f"{type(error).__name__}: {error}", MAX_CAUSE)
        super().__init__(f"{folder}: its prompts cannot be made: {cause}")


def kept_demonstrations(
    variants: frozenset[PromptVariant],
    task_of: Callable[[Arm], LmEvalTask],
    documents: tuple[Document, ...],
    demonstrations: Demonstrations,
) -> tuple[int, ...] | None:
    """Number of demonstrations that each document's prompt keeps; None if all keep all.

    `task_of` gives the task in an arm's form. VariantError if the prompts of a variant cannot be
    rendered or tokenized.
    """
    shots = len(demonstrations.documents)
    kept = [shots] * len(documents)
    for variant in sorted(variants, key=_order):
        task = task_of(variant.arm)
        try:
            if variant.arm.form or not _surely_fits(variant, task, documents, demonstrations):
                kept = _fitting(variant, task, documents, demonstrations, kept)
        except BaseException as error:  # a tokenizer or a chat template may raise anything
            if not is_fault(error):
                raise
            raise VariantError(variant.folder, error) from error
    return None if all(k == shots for k in kept) else tuple(kept)


def _order(variant: PromptVariant) -> tuple[str, str, int, str]:
    return variant.tokenizer, variant.arm.name, variant.window, repr(variant.rendering)


def kept_digest(kept: tuple[int, ...] | None) -> str | None:
    """sha256 of the numbers of kept demonstrations, for the cell's identity."""
    return None if kept is None else hashlib.sha256(repr(kept).encode()).hexdigest()


def prompt_limit(window: int, task: LmEvalTask, thinking: int = 0) -> int:
    """Maximum tokens of a prompt with its answer; generated responses need part of the window, and
    so do the tokens of thinking before them."""
    if task.OUTPUT_TYPE != "generate_until":
        return window
    generation = task.config.generation_kwargs or {}
    return window - int(generation.get("max_gen_toks", MAX_GENERATED_TOKENS)) - thinking


def _answer(task: LmEvalTask, document: Document, *, longest: bool) -> str:
    """The text that follows the question: the longest choice, or in a demonstration the target."""
    if not document.choices:
        return "" if longest and task.OUTPUT_TYPE == "generate_until" else document.target
    return max(document.choices, key=len)


def _surely_fits(
    variant: PromptVariant,
    task: LmEvalTask,
    documents: tuple[Document, ...],
    demonstrations: Demonstrations,
) -> bool:
    """Whether one of the two bounds shows that all prompts fit."""
    limit = prompt_limit(variant.window, task, variant.thinking)
    items = [(doc.text, _answer(task, doc, longest=True)) for doc in documents]
    shown = [(doc.text, _answer(task, doc, longest=False)) for doc in demonstrations.documents]
    description = str(task.config.description or "")
    turns = 1 + len(shown)

    def total(sizes: dict[str, int], template: int) -> int:
        longest = max(sizes[text] + sizes[answer] for text, answer in items)
        before = sum(sizes[text] + sizes[answer] for text, answer in shown)
        return longest + before + sizes[description] + template + MARGIN * turns

    pieces = {description, *(piece for pair in (*items, *shown) for piece in pair)}
    in_bytes = {piece: len(piece.encode()) for piece in pieces}
    if total(in_bytes, TEMPLATE_BYTES * turns if variant.arm.template else 0) <= limit:
        return True
    in_tokens = token_counts(variant.tokenizer, variant.folder, pieces, variant.overrides)
    template = 0
    if variant.rendering is not None:
        template = template_tokens(
            variant.tokenizer,
            variant.folder,
            variant.rendering,
            turns if variant.arm.multiturn else 1,
            variant.overrides,
        )
    return total(in_tokens, template) <= limit


def _fitting(
    variant: PromptVariant,
    task: LmEvalTask,
    documents: tuple[Document, ...],
    demonstrations: Demonstrations,
    most: list[int],
) -> list[int]:
    """For each document the most demonstrations, up to `most`, that fit; 0 if none does."""
    tokenizer = cached_tokenizer(variant.folder, variant.overrides)
    template = chat_template(variant.rendering) if variant.rendering else None
    task.sampler = fixed_sampler(demonstrations)
    limit = prompt_limit(variant.window, task, variant.thinking)
    fits = list(most)
    remaining = list(range(len(documents)))
    while remaining:
        texts = [
            render_prompt(task, documents[i], fits[i], variant.arm, template)
            + _answer(task, documents[i], longest=True)
            for i in remaining
        ]
        encodings = zip(remaining, encode_prompts(tokenizer, texts), strict=True)
        too_long = {i for i, ids in encodings if len(ids) > limit and fits[i] > 0}
        for i in too_long:
            fits[i] -= 1
        remaining = sorted(too_long)
    return fits


def render_prompt(
    task: LmEvalTask, document: Document, shots: int, arm: Arm, template: ChatTemplate | None
) -> str:
    """The prompt that lm-eval renders; in tasks with a prompt per choice, the longest."""
    prompt = task.fewshot_context(
        document.raw,
        num_fewshot=shots,
        apply_chat_template=arm.template,
        fewshot_as_multiturn=arm.multiturn,
        chat_template=template,
        gen_prefix=task.doc_to_prefix(document.raw),
    )
    return max(prompt, key=len) if isinstance(prompt, list) else str(prompt)
