"""Texts are encoded once, as the tokenizer would encode each alone."""

from __future__ import annotations

from typing import Any

import pytest

from study.inference.lm_eval_model.encoding import texts as encoding
from study.inference.lm_eval_model.encoding.texts import Encoder
from tests.study.inference.small_models import build_tokenizer, windowed_pair

TEXTS = ["the bath", "<bos>the bath", "in an inn", ""]


class CountingTokenizer:
    def __init__(self) -> None:
        self.tokenizer = build_tokenizer()
        self.calls: list[list[str]] = []

    def __call__(self, texts: list[str], **options: Any) -> Any:
        self.calls.append(texts)
        return self.tokenizer(texts, **options)


def test_each_text_is_encoded_once_with_its_own_option() -> None:
    tokenizer = CountingTokenizer()
    encoder = Encoder(tokenizer)
    encoder.add({"a": None, "b": False, "c": None})
    assert tokenizer.calls == [["a", "c"], ["b"]]
    assert encoder.encode("a", None) == tokenizer.tokenizer("a").input_ids
    assert (
        encoder.encode("b", False) == tokenizer.tokenizer("b", add_special_tokens=False).input_ids
    )
    assert len(tokenizer.calls) == 2
    encoder.encode("b", True)
    assert tokenizer.calls[2:] == [["b"]]


def test_the_cache_is_emptied_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MAX_CACHED_TOKENS", 3)
    tokenizer = CountingTokenizer()
    encoder = Encoder(tokenizer)
    for text in ("the bath", "inn", "the bath"):
        encoder.encode(text, None)
    assert tokenizer.calls == [["the bath"], ["inn"], ["the bath"]]


def test_token_ids_are_those_of_hf() -> None:
    ours, theirs = windowed_pair()
    assert ours.encoded(TEXTS) == [theirs.tok_encode(text) for text in TEXTS]
    assert ours.tok_encode("the bath", left_truncate_len=2) == theirs.tok_encode(
        "the bath", left_truncate_len=2
    )
    assert ours.encoded_generation_prompts(["<bos>a"])[0][:2] != [1, 1]
