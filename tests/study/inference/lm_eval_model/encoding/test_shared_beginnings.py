"""Texts that are encoded in parts have the ids that encoding them whole gives."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, normalizers, pre_tokenizers

from study.inference.lm_eval_model.encoding import shared_beginnings
from study.inference.lm_eval_model.encoding.shared_beginnings import (
    PATTERNS,
    SharedEncoder,
    shared_encoder,
)
from study.inference.lm_eval_model.encoding.texts import Encoder
from tests.study.inference.small_models import build_tokenizer

PIECES = [
    "ab",
    "the",
    " ",
    "  ",
    "\n",
    " \n",
    "'s",
    "1",
    "23",
    ".",
    ", ",
    "é",
    "日",
    "<bos>",
    "\t",
    "a b",
]


def tokenizer_with(pattern: str | None) -> Any:
    tokenizer = build_tokenizer()
    if pattern is not None:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    return tokenizer


TOKENIZERS = [tokenizer_with(pattern) for pattern in (None, *sorted(PATTERNS))]


@st.composite
def related_texts(draw: st.DrawFn) -> list[str]:
    """Texts of which most begin like an earlier one."""
    generator = draw(st.randoms(use_true_random=False))
    texts: list[str] = []
    for _ in range(draw(st.integers(2, 8))):
        earlier = generator.choice(texts) if texts and generator.random() < 0.8 else ""
        beginning = earlier[: generator.randint(0, len(earlier))]
        texts.append(beginning + "".join(generator.choices(PIECES, k=generator.randint(0, 30))))
    return texts


@given(related_texts(), st.sampled_from(TOKENIZERS), st.sampled_from([None, False, True]))
def test_ids_are_those_of_whole_texts(
    texts: list[str], tokenizer: Any, add_special_tokens: bool | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_beginnings, "MIN_SHARED_CHARACTERS", 1)
        encoder = Encoder(tokenizer)
        encoder.add(dict.fromkeys(texts, add_special_tokens))
    options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
    for text in texts:
        ids = tokenizer(text, **options).input_ids
        assert encoder.encode(text, add_special_tokens) == ids


class CountingBackend:
    """Counts the characters that are encoded."""

    def __init__(self, backend: Any) -> None:
        self._backend, self.characters = backend, 0
        self.pre_tokenizer = backend.pre_tokenizer

    def encode_batch_fast(self, texts: list[str], **options: Any) -> Any:
        self.characters += sum(map(len, texts))
        return self._backend.encode_batch_fast(texts, **options)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_shared_beginnings_are_encoded_once(tokenizer: Any) -> None:
    beginning = "the bath in an inn " * 40
    words = random.Random(0)
    items = ["".join(words.choices("abehint", k=20)) + " in" for _ in range(20)]
    texts = [f"{beginning}{item}{answer}" for item in items for answer in (" an", " the", " a")]
    backend = CountingBackend(tokenizer.backend_tokenizer)
    ids = SharedEncoder(backend).encode(texts)
    assert ids == tokenizer(texts, add_special_tokens=False).input_ids
    assert backend.characters < len(beginning) + 20 * 80


def lower(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


def prefix_space(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)


def unknown_pattern(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = tokenizer_with(
        r"\w+ \w+|."
    ).backend_tokenizer.pre_tokenizer


def no_pattern(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    )


def no_pre_tokenizer(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.pre_tokenizer = None


def token_with_space(tokenizer: Any) -> None:
    tokenizer.add_tokens(["b a"])


def stripping_token(tokenizer: Any) -> None:
    tokenizer.add_tokens([AddedToken("<x>", lstrip=True)])


def dropout(tokenizer: Any) -> None:
    tokenizer.backend_tokenizer.model.dropout = 0.1


def split_special_tokens(tokenizer: Any) -> None:
    tokenizer.split_special_tokens = True


@pytest.mark.parametrize(
    "change",
    [
        lower,
        prefix_space,
        unknown_pattern,
        no_pattern,
        no_pre_tokenizer,
        token_with_space,
        stripping_token,
        dropout,
        split_special_tokens,
    ],
)
def test_texts_of_other_tokenizers_are_not_cut(change: Callable[[Any], None]) -> None:
    tokenizer = build_tokenizer()
    assert shared_encoder(tokenizer) is not None
    change(tokenizer)
    assert shared_encoder(tokenizer) is None
