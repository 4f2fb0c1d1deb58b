"""Prompts are rendered by lm-eval with the demonstrations of a draw, and cached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study.inference import SharedPrefixLM
from study.models.chat_templates.rendering import chat_template
from study.planning.cells.cell import Cell
from study.running.cells import prompts as module
from study.running.cells.prompts import AuditError, PromptCache, Prompts, render_prompts
from study.running.cells.task_cache import TaskCache
from study.tasks.demonstrations import Demonstrations, draw_demonstrations
from tests.study.running.cells.conftest import CellOf


def drawn(cache: TaskCache, cell: Cell) -> Demonstrations:
    _, items = cache.task(cell.task.task)
    return draw_demonstrations(items, seed=0, draw=cell.draw, shots=cell.arm.shots)


def rendered(cache: TaskCache, cell: Cell, demonstrations: Demonstrations) -> Prompts:
    task, items = cache.prompted(cell)
    return render_prompts(task, items.evaluated(4), demonstrations, cell, None)


def test_every_item_has_a_request_for_each_choice_and_all_demonstrations(
    task_cache: TaskCache, cell_of: CellOf
) -> None:
    cell = cell_of("base-5shot")
    demonstrations = drawn(task_cache, cell)
    prompts = rendered(task_cache, cell, demonstrations)
    _, items = task_cache.task(cell.task.task)
    assert prompts.shots == (5, 5, 5, 5)
    assert [len(requests) for requests in prompts.requests] == [
        len(document.choices) for document in items.evaluated(4)
    ]
    for requests, document in zip(prompts.requests, items.evaluated(4), strict=True):
        for request in requests:
            context = request.args[0]
            assert document.text in context
            places = [context.index(each.text) for each in demonstrations.documents]
            assert places == sorted(places)
            assert len(set(places)) == 5


def test_an_item_keeps_the_demonstrations_that_fit(task_cache: TaskCache, cell_of: CellOf) -> None:
    cell = replace(cell_of("base-5shot"), kept=(5, 0, 2, 1))
    prompts = rendered(task_cache, cell, drawn(task_cache, cell))
    assert prompts.shots == (5, 0, 2, 1)
    lengths = [len(requests[0].args[0]) for requests in prompts.requests]
    assert lengths[0] > lengths[2] > lengths[3] > lengths[1]


def test_another_number_of_demonstrations_than_planned_is_an_error(
    task_cache: TaskCache, cell_of: CellOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell_of("base-5shot")
    task, _ = task_cache.prompted(cell)
    render = task.fewshot_context
    monkeypatch.setattr(
        task, "fewshot_context", lambda doc, num_fewshot, **rest: render(doc, num_fewshot=4, **rest)
    )
    with pytest.raises(AuditError, match="item 0: 4 demonstrations, not 5"):
        rendered(task_cache, cell, drawn(task_cache, cell))


def test_the_chat_template_is_applied_by_lm_eval(
    task_cache: TaskCache, cell_of: CellOf, tuned_model: SharedPrefixLM
) -> None:
    cell = cell_of("tuned-0shot-chat")
    task, items = task_cache.prompted(cell)
    assert cell.rendering is not None
    template = chat_template(cell.rendering)
    documents = items.evaluated(2)
    prompts = render_prompts(task, documents, Demonstrations(()), cell, template)
    expected = tuned_model.apply_chat_template([{"role": "user", "content": documents[0].text}])
    assert prompts.requests[0][0].args[0] == expected


def test_prompts_are_rendered_once_and_the_least_recently_used_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CACHED_REQUESTS", 5)
    cache = PromptCache()
    two = Prompts(((object(), object()),), (0,))  # type: ignore[arg-type]

    def get(index: str) -> int:
        prompts, n_rendered = cache.get(index, lambda: two)
        assert prompts is two
        return n_rendered

    assert [get("a"), get("b"), get("a"), get("b"), get("a")] == [2, 2, 0, 0, 0]
    assert get("c") == 2, "b is dropped"
    assert [get("a"), get("c")] == [0, 0]
    assert get("b") == 2


def test_prompts_that_exceed_the_cache_alone_are_kept_for_the_next_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CACHED_REQUESTS", 1)
    cache = PromptCache()
    two = Prompts(((object(), object()),), (0,))  # type: ignore[arg-type]
    assert cache.get("a", lambda: two) == (two, 2)
    assert cache.get("a", lambda: two) == (two, 0)
