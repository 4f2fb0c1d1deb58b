"""Arms: the ways of asking a model, each known by its name.

In: a name such as `base-5shot` or `tuned-0shot-chat`. Out: a frozen `Arm`.

    base-<k>shot                 the base model, k demonstrations, plain text
    tuned-<k>shot                the tuned model, k demonstrations, plain text
    tuned-<k>shot-chat           with its chat template, each demonstration a turn of its own
    tuned-<k>shot-chat-oneturn   with its chat template, all demonstrations in one user turn
    <any of these>-<form>        in another form, of those that `forms.py` explains
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from study.errors import nearest
from study.results.schema import Role

FIELD_FORMS = ("fields", "corrupted", "othertask", "unanswered", "neutral")
"Demonstrations and question field by field, in plain text."
WORDING_FORMS = tuple(f"wording{i}" for i in range(1, 7))
FORMS = (
    *FIELD_FORMS, *WORDING_FORMS, "lettered", "adversarial", "translated", "translated_told",
    "marked", "writes", "written",
)  # fmt: skip
_NAME = re.compile(rf"(base|tuned)-(\d{{1,3}})shot(-chat(-oneturn)?)?(?:-({'|'.join(FORMS)}))?")
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

    form: str | None = None
    "Another form than lm-eval's own prompt."

    def identity(self) -> dict[str, object]:
        """What of the arm can move a score; its name and role cannot."""
        turns = {"multiturn": self.multiturn} if self.template and self.shots else {}
        form = {"form": self.form} if self.form else {}
        return {"shots": self.shots, "template": self.template, **turns, **form}


def applies(arm: Arm, *, writes: bool) -> bool:
    """Whether a pair is asked so: of a tuned model that `writes` demonstrations before it answers,
    what it and its base make of these; of others, everything else."""
    if arm.form in ("writes", "written"):
        return writes
    return arm.role == "base" or not writes


def parse_arm(name: str) -> Arm:
    """The arm of that name; ValueError says what names there are."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"an arm's name, <base|tuned>-<k>shot[-chat[-oneturn]][-<form>], for example "
            f"{', '.join(EXAMPLES[:5])}. {nearest(name, EXAMPLES)}".strip()
        )
    role, shots, chat, oneturn, form = match.groups()
    if role == "base" and chat:
        raise ValueError(f"no chat template on a base arm. Did you mean {name.split('-chat')[0]!r}")
    if fault := _misfit(role, int(shots), bool(chat), form):
        raise ValueError(fault)
    of: Role = "base" if role == "base" else "tuned"
    return Arm(name, of, int(shots), bool(chat), not oneturn, form)


def _misfit(role: str, shots: int, chat: bool, form: str | None) -> str:
    """What is wrong with a form on such an arm; empty if nothing is."""
    if form in FIELD_FORMS and chat:
        return f"no chat template where the form is {form}, which is plain text"
    if form in FIELD_FORMS[1:] and form != "neutral" and not shots:
        return f"demonstrations, one shot at least, where the form is {form}"
    if form == "writes" and (role != "tuned" or shots):
        return "a tuned model without shots where the form is writes: it writes its own"
    if form == "written" and (role != "base" or shots):
        return "a base model without shots where the form is written: the tuned model wrote them"
    return ""
