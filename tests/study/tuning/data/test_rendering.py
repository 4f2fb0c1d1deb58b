"""Kinds of tokens partition every sequence, whatever the tokenizer and the template."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings

from study.models.chat_templates.published import TEMPLATES
from study.tuning.data.rendering import (
    INSTRUCTION,
    OUTPUT,
    TEMPLATE,
    NotRenderedError,
    content_spans,
    encode,
)
from study.tuning.data.sources import Turn
from tests.study.tuning.conversations import conversations
from tests.study.tuning.small_tokenizers import rendered_from, small_tokenizer, tokenizer_with

KINDS = ("bytes", "metaspace")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", sorted(TEMPLATES))
@settings(max_examples=60, deadline=None)
@given(turns=conversations())
def test_kinds_partition_and_outputs_are_assistant_turns(
    kind: str, template: str, turns: tuple[Turn, ...]
) -> None:
    tokenizer = tokenizer_with(kind, template)
    row = encode(turns, tokenizer, rendered_from(tokenizer))
    text, spans = content_spans(turns, tokenizer, rendered_from(tokenizer))
    plain = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in turns], tokenize=False
    )
    assert text == plain
    assert set(np.unique(row.kinds)) <= {TEMPLATE, INSTRUCTION, OUTPUT}
    assert ((row.kinds == TEMPLATE) == (row.turns == -1)).all()
    for span in spans:
        content = turns[span.turn].content
        assert text[span.start : span.stop].startswith(content)
        ids = row.ids[row.turns == span.turn]
        assert (row.kinds[row.turns == span.turn] == span.kind).all()
        # A token may contain a character of the template before it, never one of another turn.
        decoded = tokenizer.decode(ids).replace("</s>", "")
        assert "".join(content.split()) in "".join(decoded.split())
        if span.kind == OUTPUT:
            assert ids[-1] == tokenizer.eos_token_id
        else:
            assert tokenizer.eos_token_id not in ids


def test_zoo_template() -> None:
    tokenizer = small_tokenizer("zoo")
    turns = (Turn("user", "give the last of a b c ="), Turn("assistant", "c"))
    row = encode(turns, tokenizer, rendered_from(tokenizer))
    assert tokenizer.decode(row.ids[row.kinds == OUTPUT]) == "c <eos>"
    assert tokenizer.decode(row.ids[row.kinds == TEMPLATE]) == "<bos> <|user|> <|assistant|>"


def test_content_with_the_text_of_a_special_token_is_refused() -> None:
    tokenizer = tokenizer_with("bytes", "tulu")
    with pytest.raises(NotRenderedError, match="special token"):
        encode(
            (Turn("user", "say </s> now"), Turn("assistant", "no")),
            tokenizer,
            rendered_from(tokenizer),
        )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[0]['content'] }}{{ eos_token }}", r"does not show turn 2"),
        (
            "{% for m in messages %}{{ m['content'] }} / {% endfor %}",
            "ends an assistant's turn with no special token",
        ),
        ("{{ raise_exception('only one turn') }}", "refuses it"),
    ],
)
def test_templates_that_cannot_be_masked(template: str, message: str) -> None:
    tokenizer = copy.deepcopy(small_tokenizer("bytes"))
    tokenizer.chat_template = template
    with pytest.raises(NotRenderedError, match=message):
        encode((Turn("user", "a"), Turn("assistant", "b")), tokenizer, rendered_from(tokenizer))


def test_truncated() -> None:
    tokenizer = tokenizer_with("bytes", "tulu")
    turns = (Turn("user", "the fox"), Turn("assistant", "a"))
    row = encode(turns, tokenizer, rendered_from(tokenizer))
    assert (
        len(row.truncated(5).ids) == len(row.truncated(5).kinds) == len(row.truncated(5).turns) == 5
    )
    assert (row.truncated(None).ids == row.ids).all()
