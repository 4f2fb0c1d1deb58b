"""Arms: the ways of asking a model, each known by its name.

In: a name such as `base-5shot` or `tuned-0shot-chat`. Out: a frozen `Arm`.

    base-<k>shot                 the base model, k demonstrations, plain text
    tuned-<k>shot                the tuned model, k demonstrations, plain text
    tuned-<k>shot-chat           with its chat template, each demonstration a turn of its own
    tuned-<k>shot-chat-oneturn   with its chat template, all demonstrations in one user turn
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from study.contract import Role
from study.errors import nearest

_NAME = re.compile(r"(base|tuned)-(\d{1,3})shot(-chat(-oneturn)?)?")
EXAMPLES = ("base-0shot", "base-5shot", "tuned-0shot", "tuned-0shot-chat", "tuned-5shot-chat",
            "tuned-5shot-chat-oneturn")  # fmt: skip


@dataclass(frozen=True)
class Arm:
    """One way of asking a model."""

    name: str
    role: Role
    "Which member of the pair is asked."
    shots: int
    "Demonstrations in the prompt."
    template: bool
    "Whether the chat template is applied. Never for a base model."
    multiturn: bool
    "With a template: whether each demonstration is a turn of its own."

    def identity(self) -> dict[str, object]:
        """What of the arm can move a score; its name and role cannot."""
        turns = {"multiturn": self.multiturn} if self.template and self.shots else {}
        return {"shots": self.shots, "template": self.template, **turns}


def parse_arm(name: str) -> Arm:
    """The arm of that name; ValueError says what names there are."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"an arm's name, <base|tuned>-<k>shot[-chat[-oneturn]], for example "
            f"{', '.join(EXAMPLES[:5])}. {nearest(name, EXAMPLES)}".strip()
        )
    role, shots, chat, oneturn = match.groups()
    if role == "base" and chat:
        raise ValueError(f"no chat template on a base arm. Did you mean {name.split('-chat')[0]!r}")
    return Arm(name, "base" if role == "base" else "tuned", int(shots), bool(chat), not oneturn)
