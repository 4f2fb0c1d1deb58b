"""Truncation of a cell's prompts, cached by everything that decides it.

In: a task and a draw, and the variants in which prompts are read. Out: how many demonstrations each
item keeps. What decides it is the part `prompts` of each variant's identity, its tokenizer and its
context window.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from study.config.arms import Arm
from study.config.tasks import ListedTask
from study.fact_cache import cached_fact
from study.models.tokenizers import tokenizer_files, tokenizer_sources
from study.planning.cells.identity import prompts_identity
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.identity import canonical
from study.tasks.demonstrations import Demonstrations
from study.tasks.items import TaskItems
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.prompt_forms import prompt_form
from study.tasks.truncation import PromptVariant, kept_demonstrations


def known_kept(
    resolved: ResolvedStudy,
    task: ListedTask,
    items: TaskItems,
    demonstrator: TaskItems | None,
    demonstrations: Demonstrations,
    variants: frozenset[PromptVariant],
    task_of: Callable[[Arm], LmEvalTask],
) -> tuple[int, ...] | None:
    """What `kept_demonstrations` returns for the evaluated items of a task."""

    def derive() -> tuple[int, ...] | None:
        documents = items.evaluated(resolved.study.limit)
        return kept_demonstrations(variants, task_of, documents, demonstrations)

    def sources(variant: PromptVariant) -> list[Any] | None:
        form = prompt_form(variant.arm)
        tokenizer = tokenizer_sources(variant.tokenizer, variant.folder, variant.overrides)
        if tokenizer is None or (form is not None and form.reads is not None):
            return None
        prompts = prompts_identity(
            resolved,
            variant.arm,
            task,
            items,
            demonstrations=demonstrations.digest,
            demonstrator=demonstrator,
            kept=None,
            reads=None,
            rendering=variant.rendering,
        )
        return [prompts, tokenizer, variant.window]

    found = [sources(variant) for variant in variants]
    known = None if None in found else sorted(found, key=canonical)
    files = (file for variant in variants for file in tokenizer_files(variant.folder))
    kept = cached_fact("kept_demonstrations", known, derive, files)
    return None if kept is None else tuple(kept)
