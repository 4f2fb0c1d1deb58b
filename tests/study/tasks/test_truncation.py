"""Prompts that exceed the context window lose whole demonstrations, on both sides alike."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from study.config.arms import parse_arm
from study.models.chat_templates.study_renderings import model_rendering
from study.models.pairs import zoo
from study.models.tokenizers import encode_prompts, load_tokenizer
from study.models.weights import ModelFacts, model_facts
from study.tasks.demonstrations import Demonstrations, draw_demonstrations
from study.tasks.items import Document, task_items
from study.tasks.lm_eval.library import TaskLibrary
from study.tasks.lm_eval.types import LmEvalTask
from study.tasks.truncation import (
    MAX_GENERATED_TOKENS,
    PromptVariant,
    kept_demonstrations,
    kept_digest,
    prompt_limit,
    render_prompt,
)

BASE, TUNED = "base-5shot", "tuned-5shot-chat"


@pytest.fixture(scope="module")
def task(library: TaskLibrary) -> LmEvalTask:
    return library.load("zoo_lookup_mc")


@pytest.fixture(scope="module")
def documents(task: LmEvalTask) -> tuple[Document, ...]:
    return task_items(task, "zoo_lookup_mc", shares_split=False).items[:30]


@pytest.fixture(scope="module")
def demonstrations(task: LmEvalTask) -> Demonstrations:
    items = task_items(task, "zoo_lookup_mc", shares_split=False)
    return draw_demonstrations(items, seed=0, draw=0, shots=5)


@pytest.fixture(scope="module")
def facts() -> ModelFacts:
    return model_facts(zoo()[0].tuned, allow_pickled_weights=False)


def test_whole_demonstrations_are_dropped_until_a_prompt_fits(
    task: LmEvalTask,
    documents: tuple[Document, ...],
    demonstrations: Demonstrations,
    facts: ModelFacts,
) -> None:
    rendering = model_rendering(facts, date=dt.date(2026, 1, 1), arguments={})

    def numbers(*variants: tuple[str, int]) -> tuple[int, ...] | None:
        all_variants = frozenset(
            PromptVariant(
                parse_arm(arm),
                rendering if arm == TUNED else None,
                facts.tokenizer,
                window,
                facts.folder,
            )
            for arm, window in variants
        )
        return kept_demonstrations(all_variants, lambda arm: task, documents, demonstrations)

    assert numbers((BASE, 160), (TUNED, 160)) is None
    narrow = numbers((BASE, 90))
    assert narrow is not None
    assert set(narrow) <= {0, 1, 2, 3, 4}
    tokenizer = load_tokenizer(facts.folder)
    for document, shots in zip(documents, narrow, strict=True):
        texts = [
            render_prompt(task, document, number, parse_arm(BASE), None) + " 1"
            for number in (shots, shots + 1)
        ]
        fitting, too_long = map(len, encode_prompts(tokenizer, texts))
        assert fitting <= 90 < too_long
    both, tuned = numbers((BASE, 90), (TUNED, 90)), numbers((TUNED, 90))
    assert both is not None
    assert tuned is not None
    assert both == tuple(map(min, zip(narrow, tuned, strict=True)))
    assert both != narrow
    assert numbers((BASE, 5)) == (0,) * 30, "the question itself is never cut"


def test_digest_of_kept_demonstrations() -> None:
    assert kept_digest(None) is None
    assert kept_digest((5, 4)) == kept_digest((5, 4)) != kept_digest((4, 5))


@pytest.mark.parametrize(
    ("output", "generation", "limit"),
    [
        ("multiple_choice", None, 512),
        ("generate_until", {"max_gen_toks": 12}, 500),
        ("generate_until", {}, 512 - MAX_GENERATED_TOKENS),
        ("generate_until", None, 512 - MAX_GENERATED_TOKENS),
    ],
)
def test_responses_need_part_of_the_window(
    output: str, generation: dict[str, int] | None, limit: int
) -> None:
    config = SimpleNamespace(generation_kwargs=generation)
    generating: Any = SimpleNamespace(OUTPUT_TYPE=output, config=config)
    assert prompt_limit(512, generating) == limit
