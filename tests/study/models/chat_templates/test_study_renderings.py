"""Renderings of a study: arguments of pair and arm, templates that fail, each for its own model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.planning.cells.cell import Cell
from study.planning.plan_study import PlannedStudy
from tests.conftest import MakeRun
from tests.in_process import plan
from tests.study.models.chat_templates.chat import TURNS, pair_with

STYLED = "{{ style }} {{ tone }}: " + TURNS
PLAIN = ["base-0shot", "tuned-0shot-chat"]


def planned(make_run: MakeRun, pairs: list[Any], arms: list[Any] | None = None) -> PlannedStudy:
    contrast = {"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}
    tasks = {"suite": "zoo_mc", "only": ["zoo_colour_mc"]}
    run = make_run(pairs=pairs, arms=arms or PLAIN, contrasts=[contrast], tasks=tasks, limit=2)
    return plan(run)


def chat_cells(planned: PlannedStudy) -> dict[str, Cell]:
    """By pair, its cell in the arm with a chat template."""
    return {pair.name: cell for pair, _, cell in planned.plan.rows if cell.arm.template}


def test_arguments_of_the_arm_override_those_of_the_pair(make_run: MakeRun, tmp_path: Path) -> None:
    arm = {"name": "tuned-0shot-chat", "template_arguments": {"style": "kind"}}
    arguments = {"style": "curt", "tone": 1}
    pairs = [
        pair_with(tmp_path, "both", STYLED, template_arguments=arguments),
        pair_with(tmp_path, "neither", TURNS),
    ]
    cells = chat_cells(planned(make_run, pairs, ["base-0shot", arm]))
    rendered = {name: cell.rendering for name, cell in cells.items() if cell.rendering}
    assert rendered["both"].identity()["arguments"] == {"style": "kind", "tone": 1}
    assert rendered["neither"].arguments == (), "a template gets what it reads"


def test_one_model_with_different_arguments_has_different_cells(
    make_run: MakeRun, tmp_path: Path
) -> None:
    pair = pair_with(tmp_path, "kind", STYLED, template_arguments={"style": "kind"})
    pairs = [pair, {**pair, "name": "curt", "template_arguments": {"style": "curt"}}]
    cells = chat_cells(planned(make_run, pairs))
    assert cells["kind"].model == cells["curt"].model
    assert cells["kind"].key != cells["curt"].key


def test_an_argument_that_no_template_reads_is_misspelt(make_run: MakeRun, tmp_path: Path) -> None:
    pair = pair_with(tmp_path, "one", STYLED, template_arguments={"stlye": "kind"})
    with pytest.raises(StudyError, match=r"template_arguments.stlye: .* Did you mean 'style'\?"):
        planned(make_run, [pair])


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("chat_template.jinja", "{{ raise_exception('never') }}", "a chat template that fails"),
        ("chat_template.jinja", "{% if %}", "a chat template that is not valid"),
        ("tokenizer.json", "{}", "a tokenizer that cannot be read"),
    ],
)
def test_what_is_wrong_with_one_model_concerns_no_other(
    make_run: MakeRun, tmp_path: Path, file: str, content: str, reason: str
) -> None:
    pairs = [pair_with(tmp_path, name, TURNS) for name in ("whole", "broken")]
    (tmp_path / "broken" / "tuned" / file).write_text(content)
    cells = chat_cells(planned(make_run, pairs))
    assert cells["whole"].key is not None
    assert cells["broken"].key is None
    assert reason in cells["broken"].missing
    assert str(tmp_path / "broken") in cells["broken"].missing


def test_two_models_with_one_template_and_other_special_tokens(
    make_run: MakeRun, tmp_path: Path
) -> None:
    pairs = [pair_with(tmp_path, name, TURNS) for name in ("eos", "bos")]
    settings = tmp_path / "bos" / "tuned" / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"<eos>"', '"<bos>"'))
    first, second = (cell.rendering for cell in chat_cells(planned(make_run, pairs)).values())
    assert first is not None
    assert second is not None
    assert first.template == second.template
    assert first != second


def test_a_template_for_one_turn_fails_where_demonstrations_are_turns(
    make_run: MakeRun, tmp_path: Path
) -> None:
    one = "{% if messages | length > 1 %}{{ raise_exception('one turn') }}{% endif %}" + TURNS
    arms = ["base-0shot", "tuned-0shot-chat", "tuned-2shot-chat", "tuned-2shot-chat-oneturn"]
    jobs = planned(make_run, [pair_with(tmp_path, "one", one)], arms).plan.jobs
    missing = {cell.arm.name: cell.missing for job in jobs for cell in job.cells}
    assert "one turn; expected one that renders 3 user turns" in missing.pop("tuned-2shot-chat")
    assert set(missing.values()) == {""}
