"""What is in the identity of responses and of scores: each part moves the keys that it should."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from study.config.arms import parse_arm
from study.models.weights import ModelFacts
from study.planning.cells.identity import model_identity, prompts_identity, scorer_identity
from study.planning.resolving.resolve_study import resolve_study
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.run import Run
from study.tasks.items import TaskItems
from tests.conftest import MakeRun
from tests.in_process import plan


@pytest.fixture
def resolved(make_run: MakeRun) -> ResolvedStudy:
    return resolve_study(Run.open(make_run()))


def items_of(resolved: ResolvedStudy) -> TaskItems:
    items = resolved.items[resolved.tasks[0].task]
    assert isinstance(items, TaskItems)
    return items


def prompts(resolved: ResolvedStudy, **changes: Any) -> dict[str, Any]:
    """The identity of the prompts of a five-shot arm."""
    parts: dict[str, Any] = {
        "demonstrations": "d",
        "demonstrator": None,
        "kept": None,
        "reads": None,
        "rendering": next(iter(resolved.renderings.values())),
        **changes,
    }
    arm = parts.pop("arm", parse_arm("tuned-5shot-chat"))
    task = parts.pop("task", resolved.tasks[0])
    items = parts.pop("items", items_of(resolved))
    return prompts_identity(resolved, arm, task, items, **parts)


@pytest.mark.parametrize(
    "changes",
    [
        {"kept": "k"},
        {"demonstrations": "e"},
        {"demonstrations": None},
        {"reads": "r"},
        {"rendering": None},
        {"arm": parse_arm("tuned-5shot-chat-oneturn")},
        {"arm": parse_arm("tuned-4shot-chat")},
        {"arm": parse_arm("tuned-5shot")},
    ],
    ids=str,
)
def test_every_part_of_the_prompts_is_in_their_identity(
    resolved: ResolvedStudy, changes: dict[str, Any]
) -> None:
    assert prompts(resolved, **changes) != prompts(resolved)


@pytest.mark.parametrize("changes", [{"fields": {"asked": "{{word}}"}}, {"options": "others"}])
def test_what_forms_and_scorers_read_of_a_document_is_in_the_identity_of_the_prompts(
    resolved: ResolvedStudy, make_run: MakeRun, changes: dict[str, Any]
) -> None:
    changed = resolved.tasks[0].model_copy(update=changes)
    for arm, answers in (("base-5shot-wording3", {}), ("base-5shot", {"choose": "similarity"})):
        folder = make_run(arm, layout="zoo", answers=answers)
        other, parts = resolve_study(Run.open(folder)), {"arm": parse_arm(arm), "rendering": None}
        assert prompts(other, task=changed, **parts) != prompts(other, **parts)
    assert prompts(resolved, task=changed) == prompts(resolved), "nothing reads them there"


@pytest.mark.parametrize("field", ["version", "digest", "documents", "prompt_configuration"])
def test_the_task_is_in_the_identity_of_the_prompts(resolved: ResolvedStudy, field: str) -> None:
    changed = replace(items_of(resolved), **{field: "other"})  # type: ignore[arg-type]
    assert prompts(resolved, items=changed) != prompts(resolved)
    other = replace(changed, task="other")
    assert prompts(resolved, demonstrator=changed) != prompts(resolved)
    assert prompts(resolved, demonstrator=changed) != prompts(resolved, demonstrator=other)


@pytest.mark.parametrize("field", ["weights", "generation", "tokenizer"])
def test_every_file_of_the_model_is_in_its_identity(resolved: ResolvedStudy, field: str) -> None:
    facts = next(iter(resolved.models.values()))
    assert isinstance(facts, ModelFacts)
    arm = parse_arm("base-5shot")
    changed = replace(facts, **{field: "other"})  # type: ignore[arg-type]
    before = model_identity(resolved, facts, arm, by_vllm=False)
    assert model_identity(resolved, changed, arm, by_vllm=False) != before
    assert before["engine"] == "shared-prefix"
    by_vllm = model_identity(replace(resolved, vllm="0.32.0"), facts, arm, by_vllm=True)
    assert by_vllm == {**before, "engine": "vllm 0.32.0"}


def test_metric_scale_and_code_are_in_the_identity_of_the_scores(resolved: ResolvedStudy) -> None:
    arm, task, items = parse_arm("base-5shot"), resolved.tasks[0], items_of(resolved)
    plain = scorer_identity(resolved, arm, task, items)
    changed = [
        scorer_identity(resolved, arm, task.model_copy(update={"metric": "acc_norm"}), items),
        scorer_identity(resolved, arm, task.model_copy(update={"scale": 0.5}), items),
        scorer_identity(resolved, arm, task, replace(items, scoring_configuration={"a": 1})),
    ]
    assert plain not in changed
    role = scorer_identity(resolved, parse_arm("tuned-5shot"), task, items)
    assert role == plain, "one metric scores both roles"


def test_the_rule_as_released_differs_between_roles(make_run: MakeRun) -> None:
    answers = {"choose": "similarity", "extraction": "as_released"}
    resolved = resolve_study(Run.open(make_run(layout="zoo", answers=answers)))
    task, items = resolved.tasks[0], items_of(resolved)
    base, tuned = (
        scorer_identity(resolved, parse_arm(arm), task, items)
        for arm in ("base-5shot", "tuned-5shot")
    )
    assert base != tuned


def keys(make_run: MakeRun, name: str, **changes: Any) -> tuple[set[str], set[str]]:
    """Keys of the responses and of the scores of a study."""
    cells = [cell for job in plan(make_run(name, **changes)).plan.jobs for cell in job.cells]
    return {str(cell.responses) for cell in cells}, {str(cell.key) for cell in cells}


TASK = {"task": "zoo_colour_mc", "task_type": "t", "metric": "acc", "chance": 0.25}


@pytest.mark.parametrize("changes", [{"limit": 11}, {"limit": ...}, {"dtype": "float32"}], ids=str)
def test_what_moves_all_responses_moves_all_scores(
    make_run: MakeRun, changes: dict[str, Any]
) -> None:
    plain, changed = keys(make_run, "plain"), keys(make_run, "changed", **changes)
    assert not plain[0] & changed[0]
    assert not plain[1] & changed[1]


def test_another_seed_moves_only_what_has_demonstrations(make_run: MakeRun) -> None:
    plain, changed = keys(make_run, "plain"), keys(make_run, "changed", seed=1)
    assert len(plain[0] - changed[0]) == 3 * 2 * 2


def test_what_moves_only_scores_leaves_the_responses(make_run: MakeRun) -> None:
    plain = keys(make_run, "plain", tasks=[TASK])
    changed = keys(make_run, "changed", tasks=[{**TASK, "scale": 0.5}])
    assert plain[0] == changed[0]
    assert not plain[1] & changed[1]


def test_how_results_are_grouped_moves_nothing(make_run: MakeRun) -> None:
    plain = keys(make_run, "plain", tasks=[TASK])
    other = {**TASK, "task_type": "u", "chance": 0.5, "exposure": "seen_task", "max_shots": 9}
    assert keys(make_run, "changed", tasks=[other], draws=2) == plain
