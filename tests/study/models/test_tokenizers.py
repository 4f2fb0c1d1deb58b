"""Loading tokenizers with overrides, and counting tokens as lm-eval's model reads them."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.pairs import zoo
from study.models.tokenizers import (
    TokenizerOverrides,
    cached_tokenizer,
    encode_prompts,
    load_tokenizer,
    model_rendering,
    template_tokens,
    token_counts,
)
from study.models.weights import folder_facts

TUNED = Path(zoo()[0].tuned.path)
TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"


def test_overrides_set_template_and_marker() -> None:
    plain = load_tokenizer(TUNED)
    changed = load_tokenizer(TUNED, TokenizerOverrides(TEMPLATE, "<marker>"))
    assert changed.chat_template == TEMPLATE != plain.chat_template
    assert len(changed) == len(plain) + 1
    assert changed("<marker>", add_special_tokens=False).input_ids == [len(plain)]
    unchanged = load_tokenizer(TUNED, TokenizerOverrides("tokenizer", None))
    assert (unchanged.chat_template, len(unchanged)) == (plain.chat_template, len(plain))


def test_a_tokenizer_without_a_template_needs_one(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(TUNED)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    assert not load_tokenizer(tmp_path).chat_template
    with pytest.raises(StudyError, match=r"template: found a tokenizer without a chat template"):
        load_tokenizer(tmp_path, TokenizerOverrides("tokenizer", None))
    assert load_tokenizer(tmp_path, TokenizerOverrides("tulu", None)).chat_template


def test_cached_tokenizers_are_one_instance() -> None:
    overrides = TokenizerOverrides(TEMPLATE, None)
    assert cached_tokenizer(TUNED) is cached_tokenizer(TUNED)
    assert cached_tokenizer(TUNED, overrides) is not cached_tokenizer(TUNED)
    assert load_tokenizer(TUNED) is not load_tokenizer(TUNED)


def test_no_second_bos_where_prompts_begin_with_one() -> None:
    tokenizer = load_tokenizer(TUNED)
    bos = tokenizer.bos_token
    (plain,) = encode_prompts(tokenizer, ["question"])
    (begun,) = encode_prompts(tokenizer, [f"{bos}question"])
    assert begun.count(tokenizer.bos_token_id) == 1
    assert plain.count(tokenizer.bos_token_id) <= 1


def test_pieces_are_counted_without_special_tokens() -> None:
    digest = folder_facts(TUNED, allow_pickled_weights=False).tokenizer
    counts = token_counts(digest, TUNED, {"question", "question answer", ""})
    assert counts[""] == 0
    assert counts["question answer"] > counts["question"] >= 1
    more = token_counts(digest, TUNED, {"answer"})
    assert more["question"] == counts["question"], "pieces that were counted before stay"


def test_a_template_adds_tokens_for_every_turn() -> None:
    rendering = model_rendering(TUNED, date=dt.date(2026, 1, 1), arguments={})
    one, two, three = (template_tokens(TUNED, rendering, turns) for turns in (1, 2, 3))
    assert 0 < one < two < three
    assert three - two == two - one


def test_what_is_wrong_with_a_tokenizer_or_template_is_one_error(tmp_path: Path) -> None:
    def error(turns: int = 1) -> str:
        cached_tokenizer.cache_clear()
        with pytest.raises(StudyError) as caught:
            model_rendering(tmp_path, date=dt.date(2026, 1, 1), arguments={}, turns=turns)
        return str(caught.value)

    shutil.copytree(TUNED, tmp_path, dirs_exist_ok=True)
    template = tmp_path / "chat_template.jinja"
    template.write_text("{{ messages.nothing.nothing }}")
    assert "found a chat template that fails: UndefinedError" in error()
    template.write_text("{% if messages | length > 1 %}{{ raise_exception('one') }}{% endif %}")
    assert "expected one that renders 3 user turns" in error(turns=3)
    (tmp_path / "tokenizer.json").write_text("{")
    assert "found a tokenizer that cannot be read" in error()
