"""Encodings are found under what decides them, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from study.inference import SharedPrefixLM
from study.inference.lm_eval_model.encoding import cache
from study.inference.lm_eval_model.encoding.cache import (
    EncodingCache,
    encoding_key,
    packed,
    unpacked,
)
from study.inference.loglikelihood import EncodedRequests
from tests.study.inference.small_models import build_tokenizer, lm_requests, windowed_pair

Texts = st.lists(st.tuples(st.text("ab 1", max_size=3), st.text("ab 1", max_size=3)), max_size=4)


class MemoryStore:
    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def read(self, key: str) -> bytes | None:
        return self.content.get(key)

    def write(self, key: str, content: bytes) -> None:
        self.content[key] = content


def encoded(*answer: int) -> EncodedRequests:
    return EncodedRequests.of([([1, 2, 3], list(answer))])


@given(st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1), st.lists(st.integers(0, 2)))))
def test_packed_requests_are_what_they_were(pairs: list[tuple[list[int], list[int]]]) -> None:
    before = EncodedRequests.of(pairs)
    after = unpacked(packed(before))
    assert after.inputs.lists() == before.inputs.lists()
    assert after.answers.tolist() == before.answers.tolist()
    assert after.starts.tolist() == before.starts.tolist()


@given(Texts, Texts)
def test_keys_are_those_of_the_texts(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    same = encoding_key("identity", "requests", first) == encoding_key(
        "identity", "requests", second
    )
    assert same == (first == second)


def test_identity_and_kind_are_part_of_the_key() -> None:
    texts = [("a", "b"), ("\ud800", "")]
    keys = {encoding_key(i, kind, texts) for i in ("one", "two") for kind in ("texts", "requests")}
    assert len(keys) == 4


def test_requests_are_encoded_once() -> None:
    store = MemoryStore()
    calls = []

    def encode() -> EncodedRequests:
        calls.append(1)
        return encoded(4)

    one = EncodingCache(store)
    assert one.get("key", encode) is one.get("key", encode)
    assert EncodingCache(store).get("key", encode).pairs() == [([1, 2, 3], [4])]
    assert len(calls) == 1


def test_the_least_recently_used_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_CACHED_TOKENS", 9)
    encodings = EncodingCache()
    first = encodings.get("first", lambda: encoded(4))
    encodings.get("second", lambda: encoded(5))
    assert encodings.get("first", lambda: encoded(0)) is first
    encodings.get("third", lambda: encoded(6))
    assert encodings.get("first", lambda: encoded(0)) is first
    assert encodings.get("second", lambda: encoded(0)).pairs() == [([1, 2, 3], [0])]


def test_a_changed_tokenizer_never_meets_earlier_ids(tmp_path: Path) -> None:
    """Two models share a cache; the tokenizer file of the second differs in two ids."""
    model, _ = windowed_pair()
    store = MemoryStore()
    texts = [("the bath", " in"), ("the bath", " inn")]
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    first = SharedPrefixLM(
        pretrained=model.model, tokenizer=tokenizer, encodings=EncodingCache(store)
    )
    ids = first.encoded_requests(texts).pairs()
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["in"], vocabulary["Ġb"] = vocabulary["Ġb"], vocabulary["in"]
    file.write_text(json.dumps(content))
    changed = AutoTokenizer.from_pretrained(tmp_path)
    second = SharedPrefixLM(
        pretrained=model.model, tokenizer=changed, encodings=EncodingCache(store)
    )
    assert len(store.content) == 1
    assert second.encoded_requests(texts).pairs() == [
        second._encode_pair(context, continuation) for context, continuation in texts
    ]
    assert second.encoded_requests(texts).pairs() != ids
    assert len(store.content) == 2


def test_requests_from_the_store_are_scored_as_before() -> None:
    """Twice by each of two models, the second of which finds ids and tree."""
    model, _ = windowed_pair()
    encodings = EncodingCache(MemoryStore())
    lms = [
        SharedPrefixLM(pretrained=model.model, tokenizer=build_tokenizer(), encodings=encodings)
        for _ in range(2)
    ]
    arguments = [("the bath", " in"), ("the bath", " an inn"), ("", "bath"), ("in  ", "a")]
    requests = lm_requests("loglikelihood", arguments)
    scores = [lm.loglikelihood(requests, disable_tqdm=True) for lm in lms for _ in range(2)]
    assert all(each == scores[0] for each in scores)
    assert lms[1].continuation_lengths(requests) == [
        len(answer) for _, answer in lms[0].encoded_requests(arguments).pairs()
    ]
