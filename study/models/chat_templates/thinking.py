"""Thinking: whether a chat template makes its model think before it answers, and how to decide it.

In: a `Rendering`. Out: the markers around the thinking; the switches of the template; why a model
would think in an arm that does not allow for it. Decided from the prompt that the template renders
for one user turn, with every value of its switches, because templates have nothing else in common:

    the prompt ends with an opening marker     the model thinks (DeepSeek-R1, QwQ, Qwen3-Thinking)
    the prompt holds an opening marker         it asks for thinking (SmolLM3, Magistral, Phi-4)
    a switch changes the prompt                the model thinks unless told not to (Qwen3, GLM-4.5)
    the prompt ends with a closing marker      the model does not think

A template that only removes thinking from earlier turns is not one that thinks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cache

from study.bounded_jinja.budget import TemplateLimitError
from study.config.arms import Scalar
from study.errors import StudyError
from study.models.chat_templates.markers import HARMONY, MARKERS, ThinkingMarkers
from study.models.chat_templates.rendering import Rendering, argument_names, short_prompt

BOOLEAN_SWITCHES = frozenset(
    {"enable_thinking", "thinking", "think", "enable_reasoning", "reasoning"}
)
"Template arguments that switch thinking on with true and off with false."
_SWITCH_NAME = re.compile("think|reason", re.IGNORECASE)


class PromptState(Enum):
    """What the prompt for one user turn says about thinking."""

    OPEN = auto()
    "It ends with an opening marker."
    ASKS = auto()
    "It holds an opening marker."
    CLOSED = auto()
    "It ends with a closing marker."
    SILENT = auto()


@dataclass(frozen=True)
class UndecidedThinking:
    """A model that thinks, or may think, in an arm that does not allow for it."""

    off: dict[str, Scalar]
    "Template arguments that switch thinking off; empty if nothing is known to."
    open: tuple[str, ...] = ()
    "Other arguments about thinking, such as an effort, of which any value decides."


@cache
def thinking_markers(rendering: Rendering) -> ThinkingMarkers | None:
    """The markers of a template; None if it knows none."""
    if "<|channel|>" in rendering.template and "analysis" in rendering.template:
        return HARMONY
    for text in (_prompt(rendering) or "", rendering.template):
        for markers in MARKERS:
            if markers.opening in text or markers.closing in text:
                return markers
    return None


@cache
def undecided_thinking(rendering: Rendering) -> UndecidedThinking | None:
    """Why the model would think, or might, with these template arguments; None if it does not."""
    if not _may_think(rendering):
        return None
    for name in sorted(argument_names(rendering) & BOOLEAN_SWITCHES):
        if not _may_think(_with_argument(rendering, name, False)):
            return UndecidedThinking({name: False})
    if budgets := [name for name in _budgets(rendering) if _is_closed(rendering, name)]:
        return UndecidedThinking({budgets[0]: 0})
    return UndecidedThinking({}, () if _always_thinks(rendering) else tuple(_open(rendering)))


def switched_on(rendering: Rendering) -> dict[str, Scalar]:
    """Template arguments that switch thinking on, where the template has such a switch."""
    return {
        name: True
        for name in sorted(argument_names(rendering) & BOOLEAN_SWITCHES)
        if _changes(rendering, name, True, False)
    }


def thinks(rendering: Rendering) -> bool:
    """Whether a thinking arm can have these prompts: the markers are known, and thinking is not
    switched off."""
    if thinking_markers(rendering) is None or _state(rendering) is PromptState.CLOSED:
        return False
    given = dict(rendering.arguments)
    return not any(
        given.get(name) == "false" and _changes(rendering, name, True, False)
        for name in BOOLEAN_SWITCHES
    )


def begun_thinking(rendering: Rendering, text: str) -> str | None:
    """The marker that shows that a response holds thinking; None if there is none."""
    own = thinking_markers(rendering)
    if own is not None and " " not in own.closing and own.closing in text:  # words occur anywhere
        return own.closing
    begun = (markers.opening for markers in MARKERS if text.lstrip().startswith(markers.opening))
    return next(begun, None)


def reserved_tokens(rendering: Rendering | None, thinking_tokens: int) -> int:
    """Tokens of the context window that thinking with this budget takes at most: the budget, and
    the marker that is appended when it is exhausted, of which a token has at least one byte."""
    markers = thinking_markers(rendering) if rendering and thinking_tokens else None
    return thinking_tokens + len(markers.forced.encode()) if markers else 0


def _may_think(rendering: Rendering) -> bool:
    given = dict(rendering.arguments)
    is_on = any(
        given.get(name) == "true" and _changes(rendering, name, True, False)
        for name in argument_names(rendering)
        if _SWITCH_NAME.search(name)
    )
    given_budgets = [name for name in _budgets(rendering) if given.get(name, "0") != "0"]
    has_budget = any(_is_closed(rendering, name) for name in given_budgets)
    return _always_thinks(rendering) or is_on or has_budget or any(_open(rendering))


def _budgets(rendering: Rendering) -> list[str]:
    """Arguments that may be a number of tokens, 0 of which is no thinking (Seed-OSS)."""
    names = argument_names(rendering) - BOOLEAN_SWITCHES
    return sorted(name for name in names if _SWITCH_NAME.search(name) and "budget" in name)


def _is_closed(rendering: Rendering, budget: str) -> bool:
    """Whether a budget of 0, and nothing else, ends the thinking within the prompt."""
    none = _with_argument(rendering, budget, 0)
    return _state(none) is PromptState.CLOSED and _state(rendering) is not PromptState.CLOSED


def _always_thinks(rendering: Rendering) -> bool:
    """Whether the prompt itself makes the model think, with the arguments given."""
    if thinking_markers(rendering) is HARMONY:
        return True
    return _state(rendering) in (PromptState.OPEN, PromptState.ASKS)


def _open(rendering: Rendering) -> Iterator[str]:
    """Arguments about thinking that are not given and would change the prompt."""
    for name in sorted(argument_names(rendering) - dict(rendering.arguments).keys()):
        off = _with_argument(rendering, name, False)
        if _SWITCH_NAME.search(name) and _prompt(rendering) != _prompt(off):
            yield name


def _state(rendering: Rendering) -> PromptState:
    markers, prompt = thinking_markers(rendering), _prompt(rendering)
    if markers is None or prompt is None:
        return PromptState.SILENT
    if prompt.rstrip().endswith(markers.closing):
        return PromptState.CLOSED
    if prompt.rstrip().endswith(markers.opening):
        return PromptState.OPEN
    return PromptState.ASKS if markers.opening in prompt else PromptState.SILENT


def _changes(rendering: Rendering, name: str, first: Scalar, second: Scalar) -> bool:
    """Whether two values of an argument give different prompts."""
    prompts = (_prompt(_with_argument(rendering, name, value)) for value in (first, second))
    return len(set(prompts)) > 1


def _with_argument(rendering: Rendering, name: str, value: Scalar) -> Rendering:
    arguments = {**dict(rendering.arguments), name: json.dumps(value)}
    return replace(rendering, arguments=tuple(sorted(arguments.items())))


@cache
def _prompt(rendering: Rendering) -> str | None:
    """The prompt for one user turn; None if the template refuses the arguments.

    StudyError if it computes too much: with so many arguments, nobody could wait for all.
    """
    try:
        return short_prompt(rendering, 1)
    except TemplateLimitError as error:
        raise StudyError(
            "chat template",
            found=f"one that fails with {dict(rendering.arguments)}: {error}",
            expected="one that renders",
        ) from None
    except Exception:  # the Jinja code of a template may raise anything
        return None
