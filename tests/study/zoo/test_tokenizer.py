"""The tokenizer: a word is a token, and its chat template."""

from __future__ import annotations

from study.zoo.language import ID_OF
from study.zoo.tokenizer import tokenizer


def test_one_token_per_word_after_bos() -> None:
    words = ["<bos>", "give", "the", "colour", "of", "old", "fox", "=", "\n", "red"]
    ids = tokenizer()("give the colour of old fox =\n red").input_ids
    assert ids == [ID_OF[word] for word in words]


def test_chat_template() -> None:
    turns = [{"role": "user", "content": "old fox"}, {"role": "assistant", "content": "red"}]
    fast = tokenizer()
    assert fast.apply_chat_template(turns, tokenize=False) == (
        "<bos><|user|> old fox <|assistant|> red <eos>"
    )
    assert fast.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True) == (
        "<bos><|user|> old fox <|assistant|>"
    )
