"""The registry of scorers, and a response scored in an arm's form."""

from __future__ import annotations

from typing import Any

import pytest

from study.config.arms import parse_arm
from study.config.scorers import Answers
from study.config.study import read_study
from study.errors import StudyError
from study.scorers import SCORERS, Scorer, study_scorer
from study.tasks.lm_eval.library import TaskLibrary
from study.zoo import MODELS
from tests.conftest import MakeRun
from tests.study.tasks.zoo_prompts import ZooPrompts


def _prompts(make_run: MakeRun, **answers: Any) -> tuple[ZooPrompts, Scorer]:
    study = read_study(make_run(layout="zoo", answers=answers))
    scorer = study_scorer(study)
    assert scorer is not None
    return ZooPrompts(study, TaskLibrary(), "zoo_reverse_gen"), scorer


def test_a_study_chooses_its_scorer_by_name(make_run: MakeRun) -> None:
    assert study_scorer(read_study(make_run())) is None
    for scorer in SCORERS:
        study = read_study(make_run(scorer.name, answers={"choose": scorer.name}))
        assert study_scorer(study) is scorer


def test_an_unknown_scorer_is_named(make_run: MakeRun) -> None:
    study = read_study(make_run(answers={"choose": "similar"}))
    with pytest.raises(
        StudyError,
        match=r"answers\.choose: found 'similar'; expected one of 'task', 'exact', 'similarity'\. "
        r"Did you mean 'similarity'\?",
    ):
        study_scorer(study)


def test_everything_about_the_scorer_is_in_its_identity() -> None:
    encoder = str(MODELS / "llama-early-xs" / "base")
    settings = [
        Answers(tokens=5),
        Answers(extraction="as_released"),
        Answers(similarity="bertscore", bertscore_model=encoder, bertscore_layer=1),
        Answers(similarity="bertscore", bertscore_model=encoder, bertscore_layer=2),
        Answers(similarity="bertscore", bertscore_model=encoder.replace("early", "late")),
    ]
    identities = {str(scorer.identity(each)) for scorer in SCORERS for each in settings}
    assert len(identities) == 2 + len(settings), "equality needs no similarity"
    plain = SCORERS[0].identity(Answers())
    assert plain == SCORERS[0].identity(Answers(tokens=5)), "lengths decide responses, not scores"


def test_a_response_is_scored_by_its_answer(make_run: MakeRun) -> None:
    prompts, scorer = _prompts(make_run, choose="exact")
    question, arm = prompts.question(), parse_arm("base-0shot")
    gold = question.answer

    def score(response: str) -> float:
        return scorer.score_response(response, question, arm, None, prompts.context)

    assert score(f"{gold} ;") == 1
    assert score(f"question x answer : x \n question y answer : {gold} ;") == 1
    assert score("nothing") == 0


def test_a_form_says_what_an_answer_stands_for(make_run: MakeRun) -> None:
    prompts, scorer = _prompts(make_run, choose="exact")
    question, raw = prompts.question(), prompts.document().raw
    letters = "abcd"

    def score(response: str, name: str) -> float:
        arm, form = parse_arm(name), prompts.form(name)
        return scorer.score_response(response, question, arm, form, prompts.context)

    assert score(letters[raw["gold"]], "base-0shot-lettered") == 1
    assert score(letters[raw["gold"] - 1], "base-0shot-lettered") == 0
    translated = prompts.form("base-0shot-translated").solution(question, prompts.context)[1]
    assert score(translated, "base-0shot-translated") == 1
    assert score(question.answer, "base-0shot-translated") == 0


def test_the_released_rule_depends_on_the_role(make_run: MakeRun) -> None:
    prompts, scorer = _prompts(make_run, choose="exact", extraction="as_released")
    question = prompts.question()

    def score(name: str) -> float:
        arm = parse_arm(name)
        return scorer.score_response(question.answer, question, arm, None, prompts.context)

    assert (score("base-0shot"), score("tuned-0shot")) == (1, 0)
