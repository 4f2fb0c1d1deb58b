"""Thinking arms from the study file to the stored responses, and models that think unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.results.cell_store.partial_responses import PartialResponses, PartialResponseStore
from study.results.run import Run
from study.running.cells import partial_commits
from tests.conftest import write_study
from tests.in_process import evaluate, evaluate_all, plan
from tests.study.running.cells.thinking_models import OPENING, STRIPPING, SWITCH, thinking_pair

PLAIN = "tuned-0shot-chat"
OFF = {"name": PLAIN, "template_arguments": {"enable_thinking": False}}
THINKING = "tuned-0shot-chat-thinking"
GENERATED, COMPARED = "zoo_reverse_gen", "zoo_reverse_mc"


def write(folder: Path, pair: dict[str, Any], arms: list[Any], task: str = GENERATED) -> Path:
    names = [arm if isinstance(arm, str) else arm["name"] for arm in arms]
    return write_study(
        folder / "run",
        pairs=[pair],
        arms=["base-0shot", *arms],
        tasks={"suite": "zoo_gen" if task == GENERATED else "zoo_mc", "only": [task]},
        contrasts=[{"name": "c", "x": "base-0shot", "y": names[0]}],
        limit=4,
    )


def thinking(tokens: int = 8) -> dict[str, Any]:
    return {"name": THINKING, "thinking_tokens": tokens}


def responses(run: Run, arm: str) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The record and the columns of the responses in an arm."""
    cells = [cell for job in plan(run.folder).plan.jobs for cell in job.cells]
    (key,) = {cell.responses for cell in cells if cell.arm.name == arm}
    columns = ["texts", "thinking_tokens", "thinking_exhausted", "prompt_hash"]
    return run.responses.record(key), run.responses.items(key, columns=columns).to_pydict()


def test_the_thinking_is_cut_and_its_length_recorded(tmp_path: Path) -> None:
    run = evaluate_all(write(tmp_path, thinking_pair(tmp_path, "m", OPENING), [thinking()]))
    record, columns = responses(run, THINKING)
    assert record["thinking"] == {"mean_tokens": 3.0, "exhausted": 0}
    assert columns["thinking_tokens"] == [[3]] * 4
    assert columns["thinking_exhausted"] == [[False]] * 4
    assert all(text and not text.startswith("</think>") for (text,) in columns["texts"])
    assert record["identity"]["prompts"]["arm"]["thinking_tokens"] == 8
    assert record["identity"]["prompts"]["thinking_markers"]["closing"] == "</think>"


def test_a_budget_that_runs_out(tmp_path: Path) -> None:
    run = evaluate_all(write(tmp_path, thinking_pair(tmp_path, "m", OPENING), [thinking(2)]))
    record, columns = responses(run, THINKING)
    assert record["thinking"] == {"mean_tokens": 2.0, "exhausted": 4}
    assert columns["thinking_exhausted"] == [[True]] * 4


def test_with_and_without_thinking_in_one_study(tmp_path: Path) -> None:
    """A model that does not think answers in a thinking arm as it would without a budget."""
    pair = thinking_pair(tmp_path, "m", SWITCH, closes=False)
    pair["template_arguments"] = {"enable_thinking": False}
    run = evaluate_all(write(tmp_path, pair, [PLAIN, thinking()]))
    record, columns = responses(run, THINKING)
    assert record["thinking"] == {"mean_tokens": 0.0, "exhausted": 0}
    assert record["identity"]["prompts"]["rendering"]["arguments"] == {"enable_thinking": True}
    plain, without = responses(run, PLAIN)
    assert plain["identity"]["prompts"]["rendering"]["arguments"] == {"enable_thinking": False}
    assert "thinking" not in plain
    assert without["thinking_tokens"] == [[]] * 4
    assert without["prompt_hash"] != columns["prompt_hash"]


@pytest.mark.parametrize(
    ("template", "ways"),
    [
        (SWITCH, r"`template_arguments: {enable_thinking: false}` on the pair or the arm\. Or: "),
        (OPENING, r"Exclude 'm/tuned', whose chat template has no switch\. Or: "),
    ],
)
def test_a_study_must_decide_whether_a_model_thinks(
    tmp_path: Path, template: str, ways: str
) -> None:
    folder = write(tmp_path, thinking_pair(tmp_path, "m", template), [PLAIN])
    found = rf"arms: found {PLAIN}, in which 'm/tuned' may think.*"
    other = rf"Replace the arm by `{{name: {THINKING}, thinking_tokens: 1024}}`"
    with pytest.raises(StudyError, match=found + ways + other):
        plan(folder)
    if template == SWITCH:
        assert plan(write(tmp_path / "off", thinking_pair(tmp_path, "n", template), [OFF])).plan


@pytest.mark.parametrize("task", [GENERATED, COMPARED])
def test_a_model_that_thinks_although_its_template_does_not_say_so(
    tmp_path: Path, task: str
) -> None:
    folder = write(tmp_path, thinking_pair(tmp_path, "m", STRIPPING), [PLAIN], task)
    (failure,) = [event for event in evaluate(folder) if event.kind == "failed"]
    assert "the model thinks, although tuned-0shot-chat does not allow for it" in failure.failure()


def test_a_model_that_cannot_think_has_no_cells_in_a_thinking_arm(tmp_path: Path) -> None:
    pair = thinking_pair(tmp_path, "m", "{{ messages[0].content }}")
    planned = plan(write(tmp_path, pair, [thinking()]))
    reasons = {cell.arm.name: cell.missing for job in planned.plan.jobs for cell in job.cells}
    assert reasons["base-0shot"] == ""
    assert "a chat template without thinking" in reasons[THINKING]


def test_an_interrupted_thinking_arm_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the first responses are thought and while they are answered."""
    write_partial, writes = PartialResponseStore.write, []

    def interrupted(store: PartialResponseStore, key: str, partial: PartialResponses) -> None:
        write_partial(store, key, partial)
        writes.append(key)
        if len(writes) in (2, 5):
            raise RuntimeError("killed")

    pair = thinking_pair(tmp_path, "m", OPENING)
    whole = evaluate_all(write(tmp_path / "whole", pair, [thinking()]))
    monkeypatch.setattr(partial_commits, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(PartialResponseStore, "write", interrupted)
    folder = write(tmp_path, pair, [thinking()])
    for _ in range(2):
        (failure,) = [event.failure() for event in evaluate(folder) if event.kind == "failed"]
        assert "killed" in failure
    run = evaluate_all(folder)
    record, columns = responses(run, THINKING)
    assert record["resumed"]["requests"] > 0
    assert columns == responses(whole, THINKING)[1]
