"""Prompt forms: ways of wording questions and demonstrations, one module each.

To add one: write a module with a subclass of `PromptForm`, and add an instance of it to `FORMS`.
Arms then accept its name as `<arm>-<name>`.
"""

from __future__ import annotations

from study.config.arms import EXAMPLES, Arm, parse_arm
from study.config.scorers import TASK_METRIC
from study.config.study import Study
from study.errors import nearest
from study.models.interventions import intervention
from study.tasks.prompt_forms.base import PromptContext, PromptForm
from study.tasks.prompt_forms.field_by_field import (
    Corrupted,
    FieldByField,
    Neutral,
    OtherTask,
    Unanswered,
)
from study.tasks.prompt_forms.lettered import Lettered
from study.tasks.prompt_forms.marked import Marked
from study.tasks.prompt_forms.self_written import Writes, Written
from study.tasks.prompt_forms.translated import Translated, TranslatedInstruction
from study.tasks.prompt_forms.wordings import NUMBER_OF_WORDINGS, Adversarial, Wording

__all__ = [
    "FORMS",
    "PromptContext",
    "PromptForm",
    "applies",
    "check_arm",
    "check_arms",
    "prompt_form",
]

FORMS: tuple[PromptForm, ...] = (
    FieldByField(),
    Corrupted(),
    OtherTask(),
    Unanswered(),
    Neutral(),
    *(Wording(number) for number in range(1, NUMBER_OF_WORDINGS + 1)),
    Lettered(),
    Adversarial(),
    Translated(),
    TranslatedInstruction(),
    Marked(),
    Writes(),
    Written(),
)


def prompt_form(arm: Arm) -> PromptForm | None:
    """The form of an arm, None for lm-eval's own prompt; ValueError if there is no such form, or
    the arm cannot have it."""
    if arm.form is None:
        return None
    form = next((form for form in FORMS if form.name == arm.form), None)
    if form is None:
        near = nearest(arm.name, [*EXAMPLES, *(f"{arm.role}-0shot-{form.name}" for form in FORMS)])
        raise ValueError(
            "an arm's name, <base|tuned>-<k>shot[-chat[-oneturn]][-<form>], where <form> is one of "
            f"{', '.join(form.name for form in FORMS)}. {near}".strip()
        )
    if reason := form.fits(arm.role, arm.shots, arm.template):
        raise ValueError(reason)
    return form


def applies(arm: Arm, *, writes: bool) -> bool:
    """Whether a pair is evaluated in an arm. A tuned model that `writes` demonstrations is only
    evaluated in the forms for writers, and its base in all; other pairs in all other forms."""
    form = prompt_form(arm)
    if form is not None and form.for_writers:
        return writes
    return arm.role == "base" or not writes


def check_arm(name: str) -> Arm:
    """Parse an arm's name; ValueError if its form or an intervention does not exist, or the arm
    cannot have the form."""
    arm = parse_arm(name)
    prompt_form(arm)
    for intervention_name in arm.interventions:
        intervention(intervention_name)
    return arm


def check_arms(study: Study) -> None:
    """StudyError for an arm, in `arms` or in a contrast, that `check_arm` refuses, and for one that
    needs something that the study does not have."""
    keys = [(f"arms[{i}]", name) for i, name in enumerate(study.arm_names())]
    for i, contrast in enumerate(study.contrasts):
        keys += [(f"contrasts[{i}].x", contrast.x), (f"contrasts[{i}].y", contrast.y)]
    for key, name in keys:
        if key.startswith("contrasts") and name in study.published_arms:
            continue
        try:
            check_arm(name)
        except ValueError as error:
            raise study.error(key, found=repr(name), expected=str(error)) from None
    forms = {}
    for name in study.arm_names():
        form = prompt_form(parse_arm(name))
        if form is not None:
            forms[form.name] = name
            if problem := form.problem(study):
                raise problem
            if form.needs_scorer and study.answers.choose == TASK_METRIC:
                raise study.error(
                    "answers.choose",
                    found=TASK_METRIC,
                    expected=f"exact or similarity, because of the arm {name}",
                )
    for form in FORMS:
        if form.name in forms and form.reads is not None and form.reads not in forms:
            raise study.error(
                "arms",
                found="none",
                expected=f"an arm of form {form.reads}, such as tuned-0shot-chat-{form.reads}, "
                f"whose responses {forms[form.name]} reads",
            )
