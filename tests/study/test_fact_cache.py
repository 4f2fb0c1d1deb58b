"""Cached facts: used for the same sources only, and never when anything about an entry is wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study import fact_cache
from study.fact_cache import cached_fact, contents


@pytest.fixture(autouse=True)
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(fact_cache.LOCATION, str(tmp_path / "facts"))
    return tmp_path / "facts"


def count(calls: list[Any], value: Any = 1) -> Callable[[], Any]:
    def derive() -> Any:
        calls.append(value)
        return value

    return derive


def entries(location: Path) -> list[Path]:
    return sorted(path for path in location.rglob("*") if path.is_file())


@pytest.mark.parametrize("value", [None, True, 1, 0.1, "\ud800", [1, [2]], {"a": None}])
def test_a_fact_is_derived_once(value: Any) -> None:
    calls: list[Any] = []
    facts = [cached_fact("kind", {"a": [1]}, count(calls, value)) for _ in range(3)]
    assert facts == [value] * 3
    assert len(calls) == 1


def test_kind_sources_and_versions_are_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    for kind, sources in (("a", [1]), ("b", [1]), ("a", [True]), ("a", ["1"]), ("a", {"b": 1})):
        cached_fact(kind, sources, count(calls))
    assert len(calls) == 5
    monkeypatch.setattr(fact_cache, "_environment", lambda: "another version")
    cached_fact("a", [1], count(calls))
    assert len(calls) == 6


def test_unknown_sources_are_not_cached(location: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    for _ in range(2):
        cached_fact("kind", None, count(calls))
    monkeypatch.setattr(fact_cache, "_environment", lambda: None)  # an editable installation
    for _ in range(2):
        cached_fact("kind", [1], count(calls))
    assert len(calls) == 4
    assert not location.exists()


def test_errors_are_passed_on_and_not_cached(location: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cached_fact("kind", [1], lambda: 1 / 0)
    assert not entries(location)


@pytest.mark.parametrize("fault", ["cut", "empty", "one bit", "another's entry", "a folder"])
def test_a_corrupted_entry_is_derived_again(fault: str, location: Path) -> None:
    cached_fact("kind", [1], lambda: "first")
    (entry,) = entries(location)
    content = entry.read_bytes()
    if fault == "another's entry":
        cached_fact("kind", [2], lambda: "second")
        other = next(path for path in entries(location) if path != entry)
        shutil.copyfile(other, entry)
    elif fault == "a folder":
        entry.unlink()
        entry.mkdir()
    else:
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        entry.write_bytes({"cut": content[:-1], "empty": b"", "one bit": flipped}[fault])
    assert cached_fact("kind", [1], lambda: "first") == "first"
    if fault != "a folder":
        assert entry.read_bytes() == content


def test_without_a_folder_to_write_to_facts_are_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the place of a folder")
    monkeypatch.setenv(fact_cache.LOCATION, str(tmp_path / "file"))
    calls: list[Any] = []
    assert [cached_fact("kind", [1], count(calls)) for _ in range(2)] == [1, 1]
    assert len(calls) == 2


def test_what_is_derived_from_a_file_that_just_changed_is_not_cached(
    tmp_path: Path, location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_text("a")
    os.utime(source, (0, 0))  # the time of its last modification is what anyone likes
    cached_fact("kind", [1], lambda: 1, [source])
    cached_fact("kind", [2], lambda: 1, [tmp_path / "absent"])
    assert not entries(location)
    monkeypatch.setattr(fact_cache, "_started", source.stat().st_ctime_ns + 1)
    cached_fact("kind", [1], lambda: 1, [source])
    assert len(entries(location)) == 1


def test_old_entries_are_deleted_when_there_are_too_many(
    location: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fact_cache, "MAX_ENTRIES", 5)
    for number in range(6):
        cached_fact("kind", [number], lambda: 1)
    for age, entry in enumerate(entries(location)):
        os.utime(entry, (1000 - age, 1000 - age))
    kept = entries(location)[:3]
    fact_cache._delete_oldest(location / "kind")
    assert entries(location) == kept


def test_contents_are_names_and_bytes_in_order(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"1")
    digests = {contents([first]), contents([second]), contents([first, second])}
    first.write_bytes(b"2")
    digests |= {contents([first]), contents([first, second])}
    assert len(digests) == 5
