"""A cell: one model in one arm on one task with one draw of demonstrations.

In and out: a frozen `Cell`, made by `factory.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from study.config.arms import Arm
from study.config.tasks import ListedTask
from study.models.chat_templates.rendering import Rendering
from study.models.pairs import ModelRef
from study.results.identity import Identity


@dataclass(frozen=True, slots=True)
class Cell:
    """The unit of work, of identity and of resume: (model, arm, task, draw)."""

    model: ModelRef
    arm: Arm
    task: ListedTask
    draw: int | None
    "Number of the draw; None for an arm without demonstrations."
    key: str | None = None
    "Key of the scores; None while something that the cell depends on is not available."
    responses: str | None = None
    "Key of the responses that are scored, likewise."
    identity: Identity | None = None
    kept: tuple[int, ...] | None = None
    "Demonstrations that each item keeps, where not all do."
    missing: str = ""
    "Why there is no key."
    demonstrator: str | None = None
    "The task that demonstrations come from, if it is another one."
    needs: str | None = None
    "Key of the responses that are part of this cell's prompts."
    rendering: Rendering | None = None
    "What the chat template is rendered from, in an arm with one."

    def describe(self) -> str:
        """The cell in messages."""
        draw = "" if self.draw is None else f" draw {self.draw}"
        return f"{self.arm.name} {self.task.task}{draw}"
