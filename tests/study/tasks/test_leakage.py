"""Reserved pools, and which documents count as the same text."""

from __future__ import annotations

import pytest

from study.tasks.items import Document
from study.tasks.leakage import MAX_RESERVED, normalised, reserve_pool, text_key


def _document(index: int, text: str, choices: tuple[str, ...] = ()) -> Document:
    return Document(index, text, choices, "0", {})


def _documents(number: int) -> list[Document]:
    return [_document(index, f"text {index}") for index in range(number)]


@pytest.mark.parametrize(("number", "reserved"), [(60, 12), (4, 0), (5, 1), (1000, MAX_RESERVED)])
def test_a_fifth_is_reserved_and_a_hundred_at_most(number: int, reserved: int) -> None:
    pool, items = reserve_pool(_documents(number))
    assert len(pool) == reserved
    assert len(items) == number - reserved
    assert not {d.index for d in pool} & {d.index for d in items}


def test_the_pool_depends_on_the_documents_not_on_their_order() -> None:
    documents = _documents(60)
    pool, _ = reserve_pool(documents)
    reversed_pool, _ = reserve_pool(documents[::-1])
    assert {d.text for d in pool} == {d.text for d in reversed_pool}


def test_items_equal_to_a_reserved_document_are_dropped() -> None:
    documents = _documents(60)
    pool, _ = reserve_pool(documents)
    copy = _document(60, pool[0].text)
    larger_pool, items = reserve_pool([*documents, copy])
    assert pool[0].text in {d.text for d in larger_pool}
    assert pool[0].text not in {d.text for d in items}


def test_texts_are_compared_without_case_and_punctuation() -> None:
    assert normalised(" The  CAT, sat!") == normalised("the cat sat") == "the cat sat"
    assert normalised("cat") != normalised("cats")


def test_choices_count_where_texts_hardly_differ() -> None:
    distinct = [_document(0, "a", ("x",)), _document(1, "b", ("y",))]
    key = text_key(distinct)
    assert key(distinct[0]) == key(_document(2, "A", ("z",)))
    empty = [_document(index, "", (f"choice {index}", "other")) for index in range(5)]
    key = text_key(empty)
    assert len({key(document) for document in empty}) == 5
    assert key(empty[0]) == key(_document(9, "", ("other", "choice 0"))), "in any order"
