"""The audit of prompts as token ids, and what is recorded of each item."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.api.instance import Instance

from study.inference import SharedPrefixLM
from study.results.schema import RESPONSES
from study.running.cells.prompts import AuditError, Prompts, render_prompts
from study.running.cells.responses import RECORDED_TOKENS, audit_tokens, collect_responses
from study.running.cells.task_cache import TaskCache
from study.tasks.demonstrations import Demonstrations
from tests.study.running.cells.conftest import CellOf

PROMPT = "give the colour of old fox ="


def request(context: str, continuation: str = " red") -> Any:
    return Instance("loglikelihood", {}, (context, continuation), 0, ("t", 0, 1))


def prompts(*requests: Any) -> Prompts:
    """Each request as an item."""
    return Prompts(tuple((each,) for each in requests), (0,) * len(requests))


def test_two_bos_are_an_error(tuned_model: SharedPrefixLM, cell_of: CellOf) -> None:
    cell = cell_of("tuned-0shot-chat")
    with pytest.raises(AuditError, match=r"begin with \[2\] <bos>, not one"):
        audit_tokens(tuned_model, prompts(request(f"<bos> <bos> {PROMPT}")), cell, 100)


def test_one_prompt_of_two_with_a_wrong_number_of_bos_is_an_error(
    tuned_model: SharedPrefixLM, cell_of: CellOf
) -> None:
    several = prompts(request(PROMPT), request(f"<bos> <bos> {PROMPT}"))
    with pytest.raises(AuditError, match=r"prompts of base-0shot begin with \[1, 2\] <bos>"):
        audit_tokens(tuned_model, several, cell_of("base-0shot"), 100)


def test_tokens_are_counted_as_the_model_reads_them(
    tuned_model: SharedPrefixLM, cell_of: CellOf
) -> None:
    short, long = request(PROMPT), request(f"{PROMPT} {PROMPT}", " red green")
    ids = tuned_model.tokenizer(PROMPT).input_ids
    size = len(ids) + 1
    audit = audit_tokens(tuned_model, prompts(short, long), cell_of("base-0shot"), size)
    assert audit.bos_count == 1
    assert audit.first_token_ids == ids[:RECORDED_TOKENS]
    assert audit.too_long == {id(long)}
    assert audit.tokens == size + audit.longest
    assert audit.longest > size


def test_a_prompt_with_demonstrations_may_not_exceed_the_context_window(
    tuned_model: SharedPrefixLM, task_cache: TaskCache, cell_of: CellOf
) -> None:
    cell = cell_of("base-0shot")
    task, items = task_cache.prompted(cell)
    documents = items.evaluated(1)
    requests = (request(" ".join([PROMPT] * 200)),)
    with pytest.raises(AuditError, match="item 0: its 5 demonstrations exceed the context window"):
        collect_responses(tuned_model, task, documents, Prompts((requests,), (5,)), cell)


def test_responses_of_a_cell(
    tuned_model: SharedPrefixLM, task_cache: TaskCache, cell_of: CellOf
) -> None:
    """They hold what every metric of log-probabilities needs."""
    cell = cell_of("base-0shot")
    task, items = task_cache.prompted(cell)
    documents = items.evaluated(6)
    rendered = render_prompts(task, documents, Demonstrations(()), cell, None)
    results, rows = collect_responses(tuned_model, task, documents, rendered, cell)
    assert results["n_items"] == len(rows) == 6
    assert results["effective_shots"] == {"least": 0, "most": 0}
    assert results["truncated_items"] == 0
    assert [row["item"] for row in rows] == [document.index for document in documents]
    for row, document in zip(rows, documents, strict=True):
        assert set(row) == set(RESPONSES)
        assert len(row["logprobs"]) == len(document.choices)
        continuations = [f" {choice}" for choice in document.choices]
        assert row["characters"] == [len(text) for text in continuations]
        assert row["bytes"] == [len(text.encode()) for text in continuations]
        ids = tuned_model.tokenizer(continuations, add_special_tokens=False).input_ids
        assert row["tokens"] == [len(tokens) for tokens in ids]
        assert row["texts"] == []
        assert [type(flag) for flag in row["greedy"]] == [bool] * len(ids)
