"""Kinds of tokens partition every sequence, and label weights are what the table says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.config.tuning.methods import Loss
from study.errors import StudyError
from study.tuning.data.label_weights import label_weights
from study.tuning.data.rendering import (
    INSTRUCTION,
    OUTPUT,
    TEMPLATE,
    TEMPLATES,
    Encoded,
    NotRenderedError,
    encode,
    set_template,
    spans,
)
from study.tuning.data.sources import Turn
from tests.study.tuning.tokenizers_made import made

KINDS = ("bytes", "metaspace")
# Texts as people write them: tags that look like the template's, white space, other scripts.
WORDS = "the fox 42 + user assistant <|user|> <|assistant|> [INST] \n Übermut café 東京 a . ? <"
CONTENT = st.lists(st.sampled_from(WORDS.split(" ")), min_size=1, max_size=8).map(" ".join)


def conversations(first: str = "user") -> st.SearchStrategy[tuple[Turn, ...]]:
    pairs = st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3)

    def turns(given_pairs: list[tuple[str, str]], system: str | None) -> tuple[Turn, ...]:
        made_turns = [Turn("system", system)] if system else []
        for asked, answered in given_pairs:
            made_turns += [Turn("user", asked), Turn("assistant", answered)]
        return tuple(made_turns)

    return st.builds(turns, pairs, st.one_of(st.none(), CONTENT))


def tokenizer_with(kind: str, template: str) -> Any:
    tokenizer = made(kind)
    set_template(tokenizer, template, "here")
    return tokenizer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", sorted(TEMPLATES))
@settings(max_examples=60, deadline=None)
@given(turns=conversations())
def test_kinds_partition_and_outputs_are_the_assistants_words(
    kind: str, template: str, turns: tuple[Turn, ...]
) -> None:
    tokenizer = tokenizer_with(kind, template)
    row = encode(turns, tokenizer)
    text, found = spans(turns, tokenizer)
    plain = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in turns], tokenize=False
    )
    assert text == plain
    assert set(np.unique(row.kinds)) <= {TEMPLATE, INSTRUCTION, OUTPUT}
    assert ((row.kinds == TEMPLATE) == (row.turns == -1)).all()
    for begin, end, of, number in found:
        content = turns[number].content
        assert text[begin:end].startswith(content)
        own = row.ids[row.turns == number]
        assert (row.kinds[row.turns == number] == of).all()
        # A token may hold a character of the template before it, never one of another turn.
        read = tokenizer.decode(own).replace("</s>", "")
        assert "".join(content.split()) in "".join(read.split())
        if of == OUTPUT:
            assert own[-1] == tokenizer.eos_token_id
        else:
            assert tokenizer.eos_token_id not in own


@settings(max_examples=80, deadline=None)
@given(turns=conversations(), cut=st.integers(2, 60), weight=st.floats(0, 3))
def test_weights_partition_the_sequence(turns: tuple[Turn, ...], cut: int, weight: float) -> None:
    whole = encode(turns, tokenizer_with("bytes", "tulu"))
    row = Encoded(whole.ids[:cut], whole.kinds[:cut], whole.turns[:cut])
    later = np.arange(len(row.ids)) > 0

    def numerator(**how: Any) -> np.ndarray:
        return label_weights(row, Loss(**how))[0]

    output, both = numerator(over="output"), numerator(over="instruction_and_output")
    every = numerator(over="all")
    assert (output == ((row.kinds == OUTPUT) & later)).all()
    assert (both - output == ((row.kinds == INSTRUCTION) & later)).all()
    assert (every - both == ((row.kinds == TEMPLATE) & later)).all()
    assert (every == later).all()
    weighted = label_weights(row, Loss(over="weighted", instruction_weight=weight))
    np.testing.assert_allclose(weighted[0], output + np.float32(weight) * (both - output))
    assert (weighted[1] == output).all()
    diluted = label_weights(row, Loss(over="output_diluted"))
    assert (diluted[0] == output).all()
    assert (diluted[1] == both).all()


def test_weight_zero_is_instruction_tuning() -> None:
    row = encode(
        (Turn("user", "the fox"), Turn("assistant", "jumps")), tokenizer_with("bytes", "tulu")
    )
    none = label_weights(row, Loss(over="weighted", instruction_weight=0))
    for mine, theirs in zip(none, label_weights(row, Loss(over="output")), strict=True):
        assert (mine == theirs).all()


def test_zoo_template() -> None:
    tokenizer = made("zoo")
    turns = (Turn("user", "give the last of a b c ="), Turn("assistant", "c"))
    row = encode(turns, tokenizer)
    assert tokenizer.decode(row.ids[row.kinds == OUTPUT]) == "c <eos>"
    assert tokenizer.decode(row.ids[row.kinds == TEMPLATE]) == "<bos> <|user|> <|assistant|>"


def test_content_with_a_special_token_is_not_taken_for_it() -> None:
    tokenizer = tokenizer_with("bytes", "tulu")
    with pytest.raises(NotRenderedError, match="special token"):
        encode((Turn("user", "say </s> now"), Turn("assistant", "no")), tokenizer)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages[0]['content'] }}{{ eos_token }}", r"does not show turn 2"),
        (
            "{% for m in messages %}{{ m['content'] }} / {% endfor %}",
            "ends an assistant's turn with no special token",
        ),
        ("{{ raise_exception('only one turn') }}", "refuses it"),
    ],
)
def test_templates_that_cannot_be_masked(template: str, said: str) -> None:
    import copy

    tokenizer = copy.deepcopy(made("bytes"))
    tokenizer.chat_template = template
    with pytest.raises(NotRenderedError, match=said):
        encode((Turn("user", "a"), Turn("assistant", "b")), tokenizer)


def test_tokenizer_without_an_end() -> None:
    import copy

    tokenizer = copy.deepcopy(made("bytes"))
    tokenizer.eos_token = None
    with pytest.raises(StudyError, match="without an end-of-text token"):
        set_template(tokenizer, "tulu", "base")
