"""How many demonstrations each item's prompt has room for, on both sides of a pair alike.

In: the ways in which one number of shots is asked (`Asked`: arm, tokenizer, window), a task's items
and a draw. Out: for every item the number of demonstrations that fits in every one of these ways,
or None when all fit everywhere. A prompt that is too long loses whole demonstrations, the last
ones; lm-eval would cut it from the left, through the first demonstration and <bos>.

Two bounds spare most of the work: a token stands for one byte at least, and a text has no more
tokens than its pieces. Only where neither shows that everything fits is every prompt rendered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from study.config.arms import Arm
from study.models.weights import Dress
from study.tasks.demonstrations import Demonstrations, fixed_sampler
from study.tasks.items import Document

MARGIN = 3
"Tokens by which a turn may be longer than its pieces and the marks of a template: delimiters."
TEMPLATE_BYTES = 1500
"More bytes than a chat template adds to a prompt of one turn."


@dataclass(frozen=True)
class Asked:
    """One way in which prompts of a number of shots are read."""

    arm: Arm
    tokenizer: str
    "Digest of the tokenizer's files."
    window: int
    "Longest text, tokens."
    folder: Path = field(compare=False)
    "Where the tokenizer is."
    dress: Dress | None = field(default=None, compare=False)
    "What a recipe puts on it."


def kept_demonstrations(
    asked: frozenset[Asked],
    task_of: Callable[[Arm], Any],
    documents: tuple[Document, ...],
    drawn: Demonstrations,
) -> tuple[int, ...] | None:
    """Demonstrations kept by each of `documents`; None if all keep all of `drawn`. `task_of` gives
    the task as an arm asks it."""
    shots = len(drawn.documents)
    kept = [shots] * len(documents)
    for way in sorted(asked, key=lambda way: (way.tokenizer, way.arm.name, way.window)):
        task = task_of(way.arm)
        if way.arm.form or not _surely_fits(way, task, documents, drawn):
            kept = _fitting(way, task, documents, drawn, kept)
    return None if all(k == shots for k in kept) else tuple(kept)


def kept_digest(kept: tuple[int, ...] | None) -> str | None:
    """sha256 of the numbers kept, for the cell's identity."""
    return None if kept is None else hashlib.sha256(repr(kept).encode()).hexdigest()


def room(window: int, task: Any) -> int:
    """Tokens that a prompt with its answer may have; generated answers need their own room."""
    if task.OUTPUT_TYPE != "generate_until":
        return window
    generated = (task.config.generation_kwargs or {}).get("max_gen_toks", 256)
    return window - int(generated)


def _answer(task: Any, document: Document, *, longest: bool) -> str:
    """The text that follows the question: the longest choice, or in a demonstration the target."""
    if not document.choices:
        return "" if longest and task.OUTPUT_TYPE == "generate_until" else document.target
    return max(document.choices, key=len)


def _surely_fits(
    way: Asked, task: Any, documents: tuple[Document, ...], drawn: Demonstrations
) -> bool:
    most = room(way.window, task)
    asked = [(doc.text, _answer(task, doc, longest=True)) for doc in documents]
    shown = [(doc.text, _answer(task, doc, longest=False)) for doc in drawn.documents]
    about = str(task.config.description or "")

    turns = 1 + len(shown)

    def total(sizes: dict[str, int], template: int) -> int:
        longest = max(sizes[text] + sizes[answer] for text, answer in asked)
        before = sum(sizes[text] + sizes[answer] for text, answer in shown)
        return longest + before + sizes[about] + template + MARGIN * turns

    pieces = {about, *(piece for pair in (*asked, *shown) for piece in pair)}
    in_bytes = {piece: len(piece.encode()) for piece in pieces}
    if total(in_bytes, TEMPLATE_BYTES * turns if way.arm.template else 0) <= most:
        return True
    in_tokens = token_counts(way.tokenizer, way.folder, pieces, way.dress)
    template = template_tokens(way.folder, turns, way.dress) if way.arm.template else 0
    return total(in_tokens, template) <= most


_counted: dict[str, dict[str, int]] = {}
"By tokenizer: tokens of pieces of text; many prompts are made of the same pieces."


def token_counts(
    digest: str, folder: Path, pieces: set[str], dress: Dress | None = None
) -> dict[str, int]:
    """Tokens of each piece of text (and of others), as the tokenizer of that digest counts."""
    known = _counted.setdefault(digest, {"": 0})
    if new := sorted(pieces - known.keys()):
        tokenizer = tokenizer_at(folder, dress)
        counts = map(len, tokenizer(new, add_special_tokens=False).input_ids)
        known.update(zip(new, counts, strict=True))
    return known


@cache
def template_tokens(folder: Path, turns: int, dress: Dress | None = None) -> int:
    """Tokens of a conversation that says 'a' in each of its turns."""
    tokenizer = tokenizer_at(folder, dress)
    said = [{"role": role, "content": "a"} for _ in range(turns) for role in ("user", "assistant")]
    return len(encoded(tokenizer, [chat_template(tokenizer)(said[:-1])])[0])


def _fitting(
    way: Asked,
    task: Any,
    documents: tuple[Document, ...],
    drawn: Demonstrations,
    most: list[int],
) -> list[int]:
    """For each document the most demonstrations, up to `most`, that fit; 0 if none does."""
    tokenizer = tokenizer_at(way.folder, way.dress)
    template = chat_template(tokenizer) if way.arm.template else None
    task.sampler = fixed_sampler(drawn)
    fits = list(most)
    left = list(range(len(documents)))
    while left:
        texts = [
            prompt(task, documents[i], fits[i], way.arm, template)
            + _answer(task, documents[i], longest=True)
            for i in left
        ]
        long = {
            i
            for i, ids in zip(left, encoded(tokenizer, texts), strict=True)
            if len(ids) > room(way.window, task) and fits[i] > 0
        }
        for i in long:
            fits[i] -= 1
        left = sorted(long)
    return fits


def prompt(
    task: Any, document: Document, shots: int, arm: Arm, template: Callable[..., str] | None
) -> str:
    """The prompt that lm-eval makes; for tasks with a prompt per choice, the longest."""
    made = task.fewshot_context(
        document.raw,
        num_fewshot=shots,
        apply_chat_template=arm.template,
        fewshot_as_multiturn=arm.multiturn,
        chat_template=template,
        gen_prefix=task.doc_to_prefix(document.raw),
    )
    return max(made, key=len) if isinstance(made, list) else str(made)


def chat_template(tokenizer: Any) -> Callable[..., str]:
    """The tokenizer's chat template in the form that lm-eval's tasks call, as its model does."""
    from jinja2 import TemplateError

    def apply(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        how = {
            "tokenize": False,
            "add_generation_prompt": add_generation_prompt,
            "continue_final_message": not add_generation_prompt,
        }
        try:
            return str(tokenizer.apply_chat_template(messages, **how))
        except TemplateError:
            without = [message for message in messages if message["role"] != "system"]
            return str(tokenizer.apply_chat_template(without, **how))

    return apply


def encoded(tokenizer: Any, prompts: list[str]) -> list[list[int]]:
    """Token ids as lm-eval's model makes them: no second <bos> where the text begins with one."""
    bos = tokenizer.bos_token
    begun = bool(bos) and bool(prompts) and prompts[0].startswith(bos)
    ids: list[list[int]] = tokenizer(prompts, add_special_tokens=not begun).input_ids
    return ids


@cache
def tokenizer_at(folder: Path, dress: Dress | None = None) -> Any:
    """The tokenizer that will read the prompts: no other, for a like one may count otherwise."""
    if dress is not None:
        from study.tuning.training.model_setup import tokenizer_for

        return tokenizer_for(folder, dress.template, dress.marker)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
