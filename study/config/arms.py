"""Arms: the ways of prompting a model, each known by its name.

In: a name such as `base-5shot` or `tuned-0shot-chat`. Out: a frozen `Arm`.

    base-<k>shot                 the base model, k demonstrations, plain text
    tuned-<k>shot                the tuned model, k demonstrations, plain text
    tuned-<k>shot-chat           with its chat template, each demonstration a turn
    tuned-<k>shot-chat-oneturn   with its chat template, all demonstrations in one user turn
    <the last two>-thinking      the model thinks before it answers, within a budget of tokens
    <any of these>-<form>        in a registered prompt form (study.tasks.prompt_forms)
    <any of these>+<name>        under a registered intervention (study.models.interventions)

Arms of published scores may have other names (`imported_arms` of study.yaml): leaderboards prompt
each task with a number of demonstrations of its own. Nothing can be evaluated in them.

This module knows the grammar only. Whether a form or an intervention of that name exists, and fits
the arm, is checked where it is registered, when the study is resolved.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainValidator, Tag, model_validator

from study.errors import nearest
from study.validation import MAX_COUNT, Name, Strict, either_mapping

Role = Literal["base", "tuned"]
ROLES: tuple[Role, ...] = ("base", "tuned")
Engine = Literal["shared-prefix", "vllm"]
EXAMPLES = (
    "base-0shot",
    "base-5shot",
    "tuned-0shot",
    "tuned-0shot-chat",
    "tuned-5shot-chat",
    "tuned-5shot-chat-oneturn",
)
Scalar = bool | int | float | str | None
"A value of a template argument, as JSON has it."


def _checked_arguments(value: Any) -> dict[str, Scalar]:
    if not isinstance(value, dict):
        raise ValueError("a mapping of names to values")
    for name, argument in value.items():
        if not isinstance(name, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,79}", name):
            raise ValueError(f"names of variables, found {name!r}")
        finite = not isinstance(argument, float) or math.isfinite(argument)
        if not finite or not isinstance(argument, Scalar):
            raise ValueError(
                f"{name}: true, false, a finite number, a text or null, found {argument!r}"
            )
    return value


TemplateArguments = Annotated[dict[str, Scalar], PlainValidator(_checked_arguments)]
"Arguments of a chat template by name; whether a template reads them is checked when it is known."
_NAME = re.compile(
    r"(?P<role>base|tuned)-(?P<shots>0|[1-9][0-9]{0,2})shot"
    r"(?P<chat>-chat(?P<oneturn>-oneturn)?(?P<thinking>-thinking)?)?"
    r"(?:-(?P<form>[a-z][a-z0-9_]*))?(?P<interventions>(?:\+[a-z][a-z0-9_]*)*)"
)


@dataclass(frozen=True)
class Arm:
    """One way of prompting a model."""

    name: str
    role: Role
    "Which member of the pair is evaluated."
    shots: int
    "Demonstrations in the prompt."
    template: bool
    "Whether the chat template is applied; never for a base model."
    multiturn: bool
    "With a chat template: whether each demonstration is a turn."
    form: str | None = None
    "Name of a prompt form; None is lm-eval's own prompt."
    interventions: tuple[str, ...] = ()
    "Names of interventions on the model, in the order in which they are entered."
    thinks: bool = False
    "Whether the model thinks before it answers."
    thinking_tokens: int = 0
    "The budget of thinking; known from the arm's options, not from its name."
    engine: Engine = "shared-prefix"
    "What generates the responses; likewise."

    def identity(self) -> dict[str, object]:
        """The parts of the arm that can move a score; its name and role cannot."""
        turns = {"multiturn": self.multiturn} if self.template and self.shots else {}
        form = {"form": self.form} if self.form else {}
        thinking = {"thinking_tokens": self.thinking_tokens} if self.thinks else {}
        return {"shots": self.shots, "template": self.template, **turns, **form, **thinking}


def parse_arm(name: str) -> Arm:
    """Parse an arm's name; ValueError explains the grammar."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            "an arm's name, <base|tuned>-<k>shot[-chat[-oneturn][-thinking]][-<form>], for example "
            f"{', '.join(EXAMPLES[:5])}. {nearest(name, EXAMPLES)}".strip()
        )
    role: Role = "base" if match["role"] == "base" else "tuned"
    if role == "base" and match["chat"]:
        plain = name.replace(match["chat"], "", 1)
        raise ValueError(f"no chat template on a base arm. Did you mean {plain!r}")
    return Arm(
        name=name,
        role=role,
        shots=int(match["shots"]),
        template=bool(match["chat"]),
        multiturn=not match["oneturn"],
        form=match["form"],
        interventions=tuple(match["interventions"].split("+")[1:]),
        thinks=bool(match["thinking"]),
    )


def arm_or_none(name: str) -> Arm | None:
    """Parse an arm's name; None if it is no such name."""
    try:
        return parse_arm(name)
    except ValueError:
        return None


def _checked_name(name: str) -> str:
    parse_arm(name)
    return name


ArmName = Annotated[str, AfterValidator(_checked_name)]


class ArmOptions(Strict):
    """An arm with options of its own."""

    name: ArmName
    draws: int | None = Field(default=None, ge=1, le=100)
    "Demonstration draws of this arm; by default those of the study."
    template_arguments: TemplateArguments = Field(default_factory=dict)
    "Arguments of the chat template in this arm; they override those of the pair."
    thinking_tokens: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    "Largest number of tokens that the model thinks before it answers, in a thinking arm."
    engine: Engine | None = None
    "What generates the responses of this arm; by default that of the study."

    @model_validator(mode="after")
    def _check_template(self) -> ArmOptions:
        arm = parse_arm(self.name)
        if self.template_arguments and not arm.template:
            raise ValueError(
                f"template_arguments: an arm with a chat template (-chat), found {self.name!r}"
            )
        if arm.thinks and self.thinking_tokens is None:
            raise ValueError(f"thinking_tokens: the budget of {self.name}, found none")
        if self.thinking_tokens is not None and not arm.thinks:
            raise ValueError(
                "thinking_tokens: a thinking arm, such as tuned-0shot-chat-thinking, "
                f"found {self.name!r}"
            )
        return self

    def arm(self, engine: Engine) -> Arm:
        """The arm with its budget of thinking, and the study's `engine` unless it has its own."""
        return replace(
            parse_arm(self.name),
            thinking_tokens=self.thinking_tokens or 0,
            engine=self.engine or engine,
        )


def _needs_no_options(name: str) -> str:
    if parse_arm(name).thinks:
        raise ValueError(f"a budget: {{name: {name}, thinking_tokens: 1024}}")
    return name


ArmEntry = Annotated[
    Annotated[ArmOptions, Tag("<options>")]
    | Annotated[ArmName, AfterValidator(_needs_no_options), Tag("<name>")],
    either_mapping("<options>", "<name>"),
]


class ImportedArm(Strict):
    """An arm of imported scores."""

    shots: ClassVar[None] = None
    "Not one number for all tasks, or unknown."
    role: Role
    "Which member of the pair was evaluated."
    description: str = Field(pattern=r"\S")
    "How it was prompted, for readers."


PUBLISHED_ARMS: Mapping[str, ImportedArm] = {
    "base-icl": ImportedArm(
        role="base", description="base model with demonstrations, as many as its source chose"
    ),
    "tuned": ImportedArm(role="tuned", description="tuned model, prompted as its source chose"),
}
"Names that every study knows."


def _checked(arms: dict[str, ImportedArm]) -> dict[str, ImportedArm]:
    for name, arm in arms.items():
        if arm_or_none(name) is not None:
            raise ValueError(f"names that say nothing else; {name!r} needs no declaration")
        if name in PUBLISHED_ARMS and arm.role != PUBLISHED_ARMS[name].role:
            raise ValueError(f"role {PUBLISHED_ARMS[name].role!r} for {name!r}")
    return arms


ImportedArms = Annotated[dict[Name, ImportedArm], AfterValidator(_checked)]
