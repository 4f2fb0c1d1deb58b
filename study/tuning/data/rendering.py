"""Renders a conversation into token ids, and says of each token what kind of text it belongs to.

In: turns, a tokenizer, what its chat template is rendered from. Out: `EncodedConversation`. Every
character of the rendered text belongs to an output (an assistant turn with the token that ends it),
to an instruction (a system or user turn) or to the template. A token is an output token if any of
its characters is, else an instruction token if any is, else a template token. So the kinds
partition every sequence, however the tokenizer splits tags within text. (Tags that are tokenized
alone give other tokens than the same tags in context; for this reason the code released by Shi et
al. 2024 masks nothing.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from study.models.chat_templates.rendering import Rendering, render_messages
from study.tuning.data.sources import Turn

TEMPLATE, INSTRUCTION, OUTPUT = 0, 1, 2
KINDS = ("template", "instruction", "output")
"Names of the kinds of tokens, by number."
_PLACEHOLDER = "\ue000{}\ue001"
"Stands for the content of a turn while the template is rendered; private-use characters."
_PROBE = " \ue002 "
"Content with white space around it, to find out whether a template removes it."


@dataclass(frozen=True)
class EncodedConversation:
    """One conversation in tokens."""

    ids: np.ndarray
    "int32 [length]"
    kinds: np.ndarray
    "int8 [length]: TEMPLATE, INSTRUCTION or OUTPUT."
    turns: np.ndarray
    "int16 [length]: index of the turn of an instruction or output token; −1 for template tokens."

    def truncated(self, length: int | None) -> EncodedConversation:
        """The first `length` tokens; all of them if None."""
        return EncodedConversation(self.ids[:length], self.kinds[:length], self.turns[:length])


class ContentSpan(NamedTuple):
    """The characters of one turn's content in a rendered conversation."""

    start: int
    stop: int
    kind: int
    "INSTRUCTION or OUTPUT."
    turn: int
    "Index of the turn."


class NotRenderedError(Exception):
    """A conversation that this template or tokenizer cannot render unchanged; the message says
    why."""


def content_spans(
    turns: Sequence[Turn], tokenizer: Any, rendering: Rendering
) -> tuple[str, list[ContentSpan]]:
    """The rendered text, and the span of every turn's content in it.

    NotRenderedError if the template omits a turn, changes it, or does not end an assistant turn
    with a special token.
    """
    placeholders = [
        {"role": turn.role, "content": _PLACEHOLDER.format(i)} for i, turn in enumerate(turns)
    ]
    try:
        rest = render_messages(rendering, placeholders)
    except Exception as error:  # the Jinja code of a template may raise anything
        raise NotRenderedError(f"the chat template refuses it: {error}") from None
    strips = _strips_content(rendering)
    text, spans = "", []
    for i, turn in enumerate(turns):
        before, placeholder, rest = rest.partition(_PLACEHOLDER.format(i))
        if not placeholder:
            raise NotRenderedError(f"the chat template does not show turn {i + 1} ({turn.role})")
        start = len(text) + len(before)
        text += before + (turn.content.strip() if strips else turn.content)
        kind = INSTRUCTION
        if turn.role == "assistant":
            kind = OUTPUT
            end = _end_of_turn(rest, tokenizer)
            text += end
            rest = rest[len(end) :]
        spans.append(ContentSpan(start, len(text), kind, i))
    return text + rest, spans


def _strips_content(rendering: Rendering) -> bool:
    """Whether the template removes white space around a turn's content, as some do."""
    messages = [{"role": "user", "content": _PROBE}]
    return _PROBE not in render_messages(rendering, messages)


def _end_of_turn(rest: str, tokenizer: Any) -> str:
    """The white space and special token that follow an assistant turn's content. A model that was
    not trained on them would not stop."""
    stripped = rest.lstrip()
    space = rest[: len(rest) - len(stripped)]
    for token in sorted(tokenizer.all_special_tokens, key=len, reverse=True):
        if stripped.startswith(token):
            return space + str(token)
    raise NotRenderedError(
        "the chat template ends an assistant's turn with no special token, so that a model would "
        "not learn to stop"
    )


def encode(
    turns: Sequence[Turn], tokenizer: Any, rendering: Rendering, marker: str | None = None
) -> EncodedConversation:
    """The tokens of a conversation with their kinds.

    NotRenderedError if the content of a turn contains the text of a special token, which the
    tokenizer would read as the token itself; only `marker` may occur.
    """
    for turn in turns:
        for token in tokenizer.all_special_tokens:
            if token in turn.content and token not in (tokenizer.unk_token, marker):
                raise NotRenderedError(f"a turn holds {token!r}, a special token")
    text, spans = content_spans(turns, tokenizer, rendering)
    bos = tokenizer.bos_token
    has_bos = bool(bos) and text.startswith(bos)
    encoding = tokenizer(text, add_special_tokens=not has_bos, return_offsets_mapping=True)
    ids = np.asarray(encoding.input_ids, dtype=np.int32)
    offsets = np.asarray(encoding.offset_mapping, dtype=np.int64).reshape(-1, 2)
    kinds = np.zeros(len(ids), dtype=np.int8)
    turn_indices = np.full(len(ids), -1, dtype=np.int16)
    for span in spans:
        overlaps = (offsets[:, 0] < span.stop) & (offsets[:, 1] > span.start)
        overlaps &= kinds <= span.kind
        kinds[overlaps] = span.kind
        turn_indices[overlaps] = span.turn
    return EncodedConversation(ids, kinds, turn_indices)
