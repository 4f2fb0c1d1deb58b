"""Arms: the ways of prompting a model, each known by its name.

In: a name such as `base-5shot` or `tuned-0shot-chat`. Out: a frozen `Arm`.

    base-<k>shot                 the base model, k demonstrations, plain text
    tuned-<k>shot                the tuned model, k demonstrations, plain text
    tuned-<k>shot-chat           with its chat template, each demonstration a turn
    tuned-<k>shot-chat-oneturn   with its chat template, all demonstrations in one user turn
    <any of these>-<form>        in a registered prompt form (study.tasks.prompt_forms)
    <any of these>+<name>        under a registered intervention (study.models.interventions)

This module knows the grammar only. Whether a form or an intervention of that name exists, and fits
the arm, is checked where it is registered, when the study is resolved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag

from study.errors import nearest
from study.validation import Strict, either_mapping

Role = Literal["base", "tuned"]
ROLES: tuple[Role, ...] = ("base", "tuned")
EXAMPLES = (
    "base-0shot",
    "base-5shot",
    "tuned-0shot",
    "tuned-0shot-chat",
    "tuned-5shot-chat",
    "tuned-5shot-chat-oneturn",
)
_NAME = re.compile(
    r"(?P<role>base|tuned)-(?P<shots>\d{1,3})shot(?P<chat>-chat(?P<oneturn>-oneturn)?)?"
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

    def identity(self) -> dict[str, object]:
        """The parts of the arm that can move a score; its name and role cannot."""
        turns = {"multiturn": self.multiturn} if self.template and self.shots else {}
        form = {"form": self.form} if self.form else {}
        return {"shots": self.shots, "template": self.template, **turns, **form}


def parse_arm(name: str) -> Arm:
    """Parse an arm's name; ValueError explains the grammar."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            "an arm's name, <base|tuned>-<k>shot[-chat[-oneturn]][-<form>], for example "
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
    )


def _checked_name(name: str) -> str:
    parse_arm(name)
    return name


ArmName = Annotated[str, AfterValidator(_checked_name)]


class ArmDraws(Strict):
    """An arm with its own number of draws."""

    name: ArmName
    draws: int = Field(ge=1, le=100)
    "Demonstration draws of this arm."


ArmEntry = Annotated[
    Annotated[ArmDraws, Tag("<draws>")] | Annotated[ArmName, Tag("<name>")],
    either_mapping("<draws>", "<name>"),
]
