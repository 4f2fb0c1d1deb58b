"""Thinking: how a model marks it, and what of a generated text is thinking and what the answer.

In: text that a thinking model generated. Out: whether it is still thinking, has closed its thinking
with a marker, or never began. The budget is enforced as by Muennighoff et al. (2025, s1): when it
is exhausted, the closing marker is appended, and the model goes on with its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True)
class ThinkingFormat:
    """The markers with which a model separates its thinking from its answer."""

    opening: str
    closing: str
    forced: str
    "What is appended when the budget is exhausted: the closing marker as the model writes it."


@dataclass(frozen=True)
class ThinkingResponse:
    """A response without its thinking."""

    text: str
    "The answer, up to the first stop string; empty if the model stopped while it was thinking."
    thinking_tokens: int
    "Tokens of the thinking part with its markers; 0 if the model answered without thinking."
    is_exhausted: bool
    "Whether the budget ran out before the model closed its thinking."


class ThinkingState(Enum):
    """Where generated text stands."""

    CLOSED = auto()
    "The closing marker is in the text."
    OPEN = auto()
    "The model is thinking."
    ABSENT = auto()
    "The model answers without thinking."


def thinking_state(text: str, format: ThinkingFormat, *, is_open: bool) -> ThinkingState:
    """The state of the text that was generated after a prompt.

    `is_open` says whether the prompt itself ends with the opening marker.
    """
    if format.closing in text:
        return ThinkingState.CLOSED
    if is_open or text.lstrip().startswith(format.opening):
        return ThinkingState.OPEN
    return ThinkingState.ABSENT


def after_closing(text: str, format: ThinkingFormat) -> str:
    """The text after the first closing marker, which it must contain."""
    return text.partition(format.closing)[2]
