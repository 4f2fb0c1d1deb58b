"""A conversation as the model reads it: token ids, and of each token what kind of text it is.

In: turns, a tokenizer, its chat template. Out: `Encoded`. Every character of the rendered text
belongs to the template, to an instruction (system and user turns) or to an output (assistant turns,
with the mark that ends them); a token belongs to the output if any of its characters does, else to
the instruction if any does, else to the template. So kinds partition every sequence, whatever the
tokenizer makes of a tag in the midst of a text. (Tags tokenised on their own are other tokens than
the same tags in context: the released code of Shi et al. 2024 masked nothing for that reason.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.errors import StudyError
from study.tuning.data.sources import Turn

TEMPLATE, INSTRUCTION, OUTPUT = 0, 1, 2
KINDS = ("template", "instruction", "output")
TEMPLATES = {
    "tulu": (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] }}"
        "{{ (eos_token if message['role'] == 'assistant' else '') + '\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    "llama2": (
        "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\\n' + "
        "messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% set rest = messages[1:] %}{% else %}"
        "{% set system = '' %}{% set rest = messages %}{% endif %}{% for message in rest %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + (system if loop.first else "
        "'') + message['content'] + ' [/INST]' }}{% else %}{{ ' ' + message['content'] + ' ' + "
        "eos_token }}{% endif %}{% endfor %}"
    ),
    "chatml": (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] }}{{ (eos_token if message['role'] == 'assistant' else '<|im_end|>') "
        "+ '\\n' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
}
_MARK = "\ue000{}\ue001"
"Stands for a turn's content while the template is rendered; of the private use area."


@dataclass(frozen=True)
class Encoded:
    """One conversation in tokens."""

    ids: np.ndarray
    "int32 [length]"
    kinds: np.ndarray
    "int8 [length]: TEMPLATE, INSTRUCTION or OUTPUT."
    turns: np.ndarray
    "int16 [length]: the turn's number where the token is an instruction's or output's, else -1."


class NotRenderedError(Exception):
    """A conversation that this template or tokenizer cannot show as it is; says why."""


def set_template(tokenizer: Any, template: str, where: str) -> None:
    """Gives the tokenizer the recipe's chat template; StudyError if there is none."""
    if template != "tokenizer":
        tokenizer.chat_template = TEMPLATES.get(template, template)
    if not tokenizer.chat_template:
        raise StudyError(
            where,
            "template",
            found="a tokenizer without a chat template",
            expected=f"`template`: one of {', '.join(TEMPLATES)}, or one in Jinja",
        )
    if tokenizer.eos_token_id is None:
        raise StudyError(where, found="a tokenizer without an end-of-text token",
                         expected="one that has it: outputs must end",
                         do="Set eos_token in its tokenizer_config.json")  # fmt: skip
    if not tokenizer.is_fast:
        raise StudyError(where, found="a slow tokenizer, which tells no character offsets",
                         expected="a tokenizer with a tokenizer.json")  # fmt: skip


def spans(turns: Sequence[Turn], tokenizer: Any) -> tuple[str, list[tuple[int, int, int, int]]]:
    """The rendered text, and (begin, end, kind, turn) of every turn's content in it.

    NotRenderedError if the template leaves a turn out, changes it, or does not end an assistant's.
    """
    marked = [{"role": turn.role, "content": _MARK.format(i)} for i, turn in enumerate(turns)]
    try:
        rest = str(tokenizer.apply_chat_template(marked, tokenize=False))
    except Exception as error:  # Jinja code of a model's maker may raise anything
        raise NotRenderedError(f"the chat template refuses it: {error}") from None
    text, found = "", []
    for i, turn in enumerate(turns):
        before, mark, rest = rest.partition(_MARK.format(i))
        if not mark:
            raise NotRenderedError(f"the chat template does not show turn {i + 1} ({turn.role})")
        content = turn.content.strip() if _strips(tokenizer) else turn.content
        text += before
        begin = len(text)
        text += content
        end = len(text)
        if turn.role == "assistant":
            ending = _ending(rest, tokenizer)
            text += ending
            rest = rest[len(ending) :]
            end = len(text)
        found.append((begin, end, OUTPUT if turn.role == "assistant" else INSTRUCTION, i))
    return text + rest, found


def _strips(tokenizer: Any) -> bool:
    """Whether the template removes white space around a turn, as some do."""
    said = [{"role": "user", "content": " \ue002 "}]
    return " \ue002 " not in str(tokenizer.apply_chat_template(said, tokenize=False))


def _ending(rest: str, tokenizer: Any) -> str:
    """What ends an assistant's turn: white space and the special token that follows its content.
    Without it a model would not learn to stop."""
    stripped = rest.lstrip()
    space = rest[: len(rest) - len(stripped)]
    for token in sorted(tokenizer.all_special_tokens, key=len, reverse=True):
        if stripped.startswith(token):
            return space + str(token)
    raise NotRenderedError(
        "the chat template ends an assistant's turn with no special token, so that a model would "
        "not learn to stop"
    )


def encode(turns: Sequence[Turn], tokenizer: Any, marker: str | None = None) -> Encoded:
    """A conversation's tokens with their kinds. NotRenderedError if content holds a special token's
    text, which the tokenizer would take for the token itself; the `marker` may stand in it."""
    for turn in turns:
        for token in tokenizer.all_special_tokens:
            if token in turn.content and token not in (tokenizer.unk_token, marker):
                raise NotRenderedError(f"a turn holds {token!r}, a special token")
    text, found = spans(turns, tokenizer)
    bos = tokenizer.bos_token
    begun = bool(bos) and text.startswith(bos)
    made = tokenizer(text, add_special_tokens=not begun, return_offsets_mapping=True)
    ids = np.asarray(made.input_ids, dtype=np.int32)
    offsets = np.asarray(made.offset_mapping, dtype=np.int64).reshape(-1, 2)
    kinds = np.zeros(len(ids), dtype=np.int8)
    turn_of = np.full(len(ids), -1, dtype=np.int16)
    for begin, end, kind, number in found:
        touched = (offsets[:, 0] < end) & (offsets[:, 1] > begin) & (kinds <= kind)
        kinds[touched] = kind
        turn_of[touched] = number
    return Encoded(ids, kinds, turn_of)
