"""The counted work of cells, compared with what a run measures and with assumptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.models.tokenizers import load_tokenizer, template_tokens
from study.planning.cost.estimate import estimate
from study.planning.cost.throughput import FEATURES, Timings, measured_speeds
from study.planning.cost.workload import Work, WorkCounter, _spaced
from study.planning.plan_report import plan_text
from study.results.run import Run
from study.running.cells.run_model import ModelRunner
from study.tasks.items import Document
from tests.conftest import MakeRun
from tests.in_process import plan


def _evaluate(folder: Path, start_seconds: float) -> list[Timings]:
    """Run a study as one worker that took so long to start; returns the timings of its jobs."""
    planned = plan(folder)
    runner = ModelRunner(planned.resolved.run, "cpu", start_seconds=start_seconds)
    events = [event for job in planned.plan.jobs for event in runner.run_job(job)]
    assert not [event for event in events if event.kind == "failed"]
    files = sorted((folder / "results" / "throughput").glob("*.json"))
    return [Timings(**json.loads(path.read_text())) for path in files]


def test_the_work_is_what_a_run_measures(make_run: MakeRun) -> None:
    """Tokens of prompts, and those of them that are computed, with and without template, of choices
    and of generated responses."""
    shared = {"task_type": "knowledge", "chance": 0.0}
    folder = make_run(
        arms=["base-0shot", "base-5shot", "tuned-0shot-chat", "tuned-5shot-chat"],
        tasks=[
            {"task": "zoo_colour_mc", "metric": "acc", **shared},
            {"task": "zoo_lookup_mc", "metric": "acc", **shared},
            {"task": "zoo_colour_gen", "metric": "exact_match,answer", **shared},
        ],
        limit=100,
    )
    planned = plan(folder)
    remaining = estimate(planned.resolved, planned.plan, frozenset())
    timings = _evaluate(folder, start_seconds=3.0)
    run = Run.open(folder)
    done = run.cells.done()
    arms = [sums for job in timings for sums in job.arms.values()]
    sums = {name: sum(arm[name] for arm in arms) for name in FEATURES}
    work = remaining.work
    assert sums["cells"] == work.cells == len(done)
    assert sums["requests"] == work.requests
    assert work.prompt_tokens == pytest.approx(sums["prompt_tokens"], rel=0.05)
    assert work.flops == pytest.approx(sums["flops"], rel=0.2)
    assert work.assumed == 0
    assert [job.start_seconds for job in timings].count(3.0) == 1
    assert [job.start_seconds for job in timings].count(None) == len(timings) - 1
    assert estimate(planned.resolved, planned.plan, frozenset(done)).work == Work()

    # The next plan uses what was measured, in this run and in the runs beside it.
    beside = make_run("beside")
    (speed,) = measured_speeds(Run.open(beside)).values()
    assert speed.jobs == len(timings)
    assert speed.start == 3.0
    assert "measured on" in plan_text(plan(beside))
    stores = (run.cells.folder, run.responses.folder)
    disk = sum(file.stat().st_size for folder in stores for file in folder.iterdir())
    assert remaining.disk == pytest.approx(disk, rel=0.5)


UNAVAILABLE = """
task: unavailable
dataset_path: nobody/nothing
output_type: multiple_choice
test_split: test
doc_to_text: "{{text}}"
doc_to_choice: ["yes", "no"]
doc_to_target: label
"""


def test_data_that_are_not_available_are_estimated_from_the_study_file(make_run: MakeRun) -> None:
    task = {"task": "unavailable", "task_type": "t", "metric": "acc", "chance": 0.5}
    folder = make_run(
        pairs=[{"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 8}],
        tasks=[{**task, "items": 50, "tokens": 100}],
        task_folders=["tasks"],
        limit=...,
    )
    (folder / "tasks").mkdir()
    (folder / "tasks" / "task.yaml").write_text(UNAVAILABLE)
    planned = plan(folder)
    work = estimate(planned.resolved, planned.plan, frozenset()).work
    assert work.cells == work.assumed == 1 + 2 + 1
    assert work.items == 4 * 50
    assert work.flops == pytest.approx(2 * 8e9 * work.tokens)


def test_work_is_summed_by_component() -> None:
    total = Work.sum([Work(1, 2, 3, 4, 5, 6, 1), Work(2, 1, 1, 1, 1, 1, 0)])
    assert total == Work(3, 3, 4, 5, 6, 7, 1)
    assert Work.sum([]) == Work()


def test_a_prompt_form_adds_its_text_to_the_estimate(make_run: MakeRun) -> None:
    def tokens(arm: str) -> float:
        contrast = {"name": "c", "x": arm, "y": "tuned-0shot"}
        folder = make_run(arm, layout="zoo", arms=[arm, "tuned-0shot"], contrasts=[contrast])
        planned = plan(folder)
        return estimate(planned.resolved, planned.plan, frozenset()).work.prompt_tokens

    plain, longer, longest = (
        tokens(f"base-0shot{form}") for form in ("", "-wording3", "-wording6")
    )
    assert plain < longer < longest


def test_shared_tokens_are_those_of_a_tree_of_prefixes(make_run: MakeRun) -> None:
    """Nodes of the tree of all questions with their choices, the last token of a choice apart."""
    planned = plan(make_run(limit=40))
    resolved = planned.resolved
    counter = WorkCounter(resolved)
    cells = [c for job in planned.plan.jobs for c in job.cells if c.arm.name == "base-0shot"]
    assert len(cells) == 6
    for cell in cells:
        facts = resolved.models[cell.model]
        assert not isinstance(facts, str)
        tokenizer = load_tokenizer(facts.folder)
        nodes: set[tuple[int, ...]] = set()
        items = resolved.items[cell.task.task]
        assert not isinstance(items, str)
        n_requests = prompts = 0
        for document in items.evaluated(40):
            question = tokenizer(document.text, add_special_tokens=False).input_ids
            for choice in document.choices:
                path = tokenizer(document.text + choice, add_special_tokens=False).input_ids[:-1]
                nodes |= {tuple(path[:end]) for end in range(1, len(path) + 1)}
                answer = tokenizer(choice, add_special_tokens=False).input_ids
                prompts += len(question) + len(answer)
                n_requests += 1
        work = counter.work(cell, 3.0)
        assert work.tokens == pytest.approx(len(nodes))
        assert (work.items, work.requests) == (40, n_requests)
        assert work.prompt_tokens == pytest.approx(prompts)
        assert work.flops == pytest.approx(2 * 3e9 * len(nodes))
        assert (work.cells, work.assumed) == (1, 0)


def test_a_generated_response_is_computed_after_its_question(make_run: MakeRun) -> None:
    """Nodes of the tree of all questions, in full, and every token of the targets."""
    task = {"task_type": "knowledge", "metric": "exact_match,answer", "chance": 0.0}
    planned = plan(make_run(tasks=[{"task": "zoo_colour_gen", **task}], limit=40))
    resolved = planned.resolved
    counter = WorkCounter(resolved)
    items = resolved.items["zoo_colour_gen"]
    assert not isinstance(items, str)
    cells = [c for job in planned.plan.jobs for c in job.cells if c.arm.name == "base-0shot"]
    assert len(cells) == 3
    for cell in cells:
        facts = resolved.models[cell.model]
        assert not isinstance(facts, str)
        tokenizer = load_tokenizer(facts.folder)
        nodes: set[tuple[int, ...]] = set()
        prompts = responses = 0
        for document in items.evaluated(40):
            path = tokenizer(document.text, add_special_tokens=False).input_ids
            nodes |= {tuple(path[:end]) for end in range(1, len(path) + 1)}
            prompts += len(path)
            responses += len(tokenizer(document.target, add_special_tokens=False).input_ids)
        work = counter.work(cell, 1.0)
        assert work.tokens == pytest.approx(len(nodes) + responses)
        assert (work.items, work.requests) == (40, 40)
        assert work.prompt_tokens == pytest.approx(prompts + responses)


def test_demonstrations_are_read_once_and_are_in_every_prompt(make_run: MakeRun) -> None:
    arms = ["base-0shot", "base-2shot", "base-5shot"]
    contrast = {"name": "c", "x": "base-0shot", "y": "base-5shot"}
    planned = plan(make_run(arms=arms, contrasts=[contrast], draws=1))
    counter = WorkCounter(planned.resolved)
    job = planned.plan.jobs[0]
    works = {
        cell.arm.shots: counter.work(cell, 1.0)
        for cell in job.cells
        if cell.task.task == "zoo_colour_mc"
    }
    one = (works[2].tokens - works[0].tokens) / 2
    assert one > 0
    assert works[5].tokens == pytest.approx(works[0].tokens + 5 * one)
    for shots in (2, 5):
        added = works[shots].prompt_tokens - works[0].prompt_tokens
        assert added == pytest.approx(works[0].requests * shots * one)
    items = planned.resolved.items["zoo_colour_mc"]
    facts = planned.resolved.models[job.model]
    assert not isinstance(items, str)
    assert not isinstance(facts, str)
    tokenizer = load_tokenizer(facts.folder)
    lengths = [
        len(tokenizer(text, add_special_tokens=False).input_ids)
        for document in items.pool
        for text in (document.text, max(document.choices, key=len))
    ]
    assert one == pytest.approx(sum(lengths) / len(items.pool), rel=0.05)


def test_the_chat_template_is_in_every_prompt(make_run: MakeRun) -> None:
    """And computed once with the demonstrations, and once more for each item."""
    arms = [f"tuned-{shots}shot{form}" for shots in (0, 2) for form in ("", "-chat")]
    contrast = {"name": "c", "x": "tuned-0shot", "y": "tuned-2shot-chat"}
    planned = plan(make_run(arms=arms, contrasts=[contrast], draws=1))
    counter = WorkCounter(planned.resolved)
    job = planned.plan.jobs[0]
    facts = planned.resolved.models[job.model]
    assert not isinstance(facts, str)
    cells = {cell.arm.name: cell for cell in job.cells if cell.task.task == "zoo_colour_mc"}
    for shots in (0, 2):
        plain, chat = cells[f"tuned-{shots}shot"], cells[f"tuned-{shots}shot-chat"]
        assert chat.rendering is not None
        one, whole = (
            template_tokens(facts.tokenizer, facts.folder, chat.rendering, turns)
            for turns in (1, 1 + shots)
        )
        assert whole >= one > 0
        without, with_template = counter.work(plain, 1.0), counter.work(chat, 1.0)
        prompts = with_template.prompt_tokens - without.prompt_tokens
        assert prompts == pytest.approx(without.requests * whole)
        computed = with_template.tokens - without.tokens
        assert computed == pytest.approx(whole + without.items * one)


@pytest.mark.parametrize(
    ("output_type", "task", "limit", "items", "requests", "tokens"),
    [
        ("multiple_choice", {"items": 50, "tokens": 100}, ..., 50, 200, 100 + 20),
        ("multiple_choice", {"items": 50, "tokens": 100}, 8, 8, 32, 100 + 20),
        ("multiple_choice", {}, ..., 1000, 4000, 120 + 20),
        ("generate_until", {"items": 7, "tokens": 30}, 8, 7, 7, 30 + 5),
    ],
)
def test_assumptions_about_data_that_are_not_available(
    make_run: MakeRun,
    output_type: str,
    task: dict[str, int],
    limit: object,
    items: int,
    requests: int,
    tokens: int,
) -> None:
    """Four choices of five tokens each, or one response of five."""
    folder = make_run(
        pairs=[{"base": "a/b", "tuned": "a/c", "family": "f", "params_b": 8}],
        tasks=[{"task": "unavailable", "task_type": "t", "metric": "acc", "chance": 0.5, **task}],
        task_folders=["tasks"],
        limit=limit,
    )
    (folder / "tasks").mkdir()
    text = UNAVAILABLE.replace("multiple_choice", output_type)
    (folder / "tasks" / "task.yaml").write_text(text)
    planned = plan(folder)
    counter = WorkCounter(planned.resolved)
    for job in planned.plan.jobs:
        for cell in job.cells:
            work = counter.work(cell, 8.0)
            assert (work.items, work.requests, work.assumed) == (items, requests, 1)
            shown = cell.arm.shots * (task.get("tokens") or 120)
            assert work.tokens == shown + items * tokens


def test_large_tasks_are_sampled_evenly() -> None:
    documents = tuple(Document(i, str(i), (), "", {}) for i in range(450))
    assert [d.index for d in _spaced(documents)] == list(range(0, 450, 2))
    assert _spaced(documents[:399]) == documents[:399]
    assert _spaced(documents[:1]) == documents[:1]
