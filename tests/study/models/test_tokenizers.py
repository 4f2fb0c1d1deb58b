"""Loading tokenizers with overrides, and counting tokens as lm-eval's model reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.chat_templates.rendering import TokenizerTemplate
from study.models.pairs import zoo
from study.models.tokenizers import (
    TokenizerOverrides,
    cached_tokenizer,
    encode_prompts,
    load_tokenizer,
    template_tokens,
    token_counts,
    tokenizer_template,
)
from study.models.weights import folder_facts
from tests.study.models.chat_templates.chat import of

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
    rendering = of(load_tokenizer(TUNED))
    digest = folder_facts(TUNED, allow_pickled_weights=False).tokenizer
    one, two, three = (template_tokens(digest, TUNED, rendering, turns) for turns in (1, 2, 3))
    assert 0 < one < two < three
    assert three - two == two - one


def test_templates_of_equal_tokenizers_are_read_once(tmp_path: Path) -> None:
    digest = folder_facts(TUNED, allow_pickled_weights=False).tokenizer
    template = tokenizer_template(digest, TUNED)
    assert template == TokenizerTemplate.of(load_tokenizer(TUNED))
    (tmp_path / "config.json").write_bytes((TUNED / "config.json").read_bytes())
    assert tokenizer_template(digest, tmp_path) is template
    changed = tokenizer_template(digest, TUNED, TokenizerOverrides(TEMPLATE, None))
    assert changed.text == TEMPLATE != template.text
