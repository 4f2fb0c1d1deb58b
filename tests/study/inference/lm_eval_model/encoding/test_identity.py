"""Whatever changes token ids changes the identity of an encoding."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import AddedToken, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from study.inference.lm_eval_model.encoding import identity
from study.inference.lm_eval_model.encoding.identity import encoding_identity
from tests.study.inference.small_models import build_tokenizer, windowed_pair


def encoding_options() -> Any:
    """What a model's identity is made of."""
    return SimpleNamespace(
        tokenizer=build_tokenizer(), backend="causal", add_bos_token=None, prefix_token_id=1
    )


def change_vocabulary(lm: Any) -> None:
    lm.tokenizer.add_tokens(["bath"])


def change_special_tokens(lm: Any) -> None:
    lm.tokenizer.add_special_tokens({"additional_special_tokens": [AddedToken("<x>")]})


def change_normalizer(lm: Any) -> None:
    lm.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()


def change_splitting(lm: Any) -> None:
    lm.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()


def change_bos(lm: Any) -> None:
    lm.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A", special_tokens=[]
    )


def change_special_splitting(lm: Any) -> None:
    lm.tokenizer.split_special_tokens = True


def change_bos_option(lm: Any) -> None:
    lm.add_bos_token = False


def change_kind(lm: Any) -> None:
    lm.backend = "seq2seq"


@pytest.mark.parametrize(
    "change",
    [
        change_vocabulary,
        change_special_tokens,
        change_normalizer,
        change_splitting,
        change_bos,
        change_special_splitting,
        change_bos_option,
        change_kind,
    ],
)
def test_changes(change: Callable[[Any], None]) -> None:
    lm = encoding_options()
    before = encoding_identity(lm)
    assert before == encoding_identity(encoding_options())
    change(lm)
    assert encoding_identity(lm) != before


def test_versions_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = encoding_identity(encoding_options())
    monkeypatch.setattr(identity, "version", lambda package: "0")
    assert encoding_identity(encoding_options()) != before


def test_a_tokenizer_with_its_own_code_has_none() -> None:
    lm = encoding_options()

    class OwnTokenizer(type(lm.tokenizer)):  # type: ignore[misc]
        pass

    lm.tokenizer.__class__ = OwnTokenizer
    assert encoding_identity(lm) is None


def test_models_have_the_identity() -> None:
    ours, _ = windowed_pair()
    assert ours.encoding == encoding_identity(ours) is not None
