"""Partial responses are read as they were written, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.cell_store import partial_responses
from study.results.cell_store.partial_responses import PartialResponses, PartialResponseStore

PARTIAL = PartialResponses(
    {"a-0": [1, 70_000, 3], "b-0": []},
    {"c-0": "one\ntwo\0", "c-1": "", "d-0": "\ud800 é"},
    [{"hardware": "cpu"}],
)
NOTHING = PartialResponses()


@pytest.fixture
def store(tmp_path: Path) -> PartialResponseStore:
    return PartialResponseStore(tmp_path)


def stored_file(store: PartialResponseStore) -> Path:
    (path,) = store.folder.iterdir()
    return path


def assert_moved_aside(store: PartialResponseStore, content: bytes, number: int = 1) -> None:
    """The file is not used and not lost."""
    assert store.read("key") == NOTHING
    assert list(store.folder.iterdir()) == []
    files = list((store.folder.parents[1] / "corrupted").glob("*/*"))
    assert len(files) == number
    assert content in [path.read_bytes() for path in files]


def test_what_was_written_is_read(store: PartialResponseStore) -> None:
    assert store.read("key") == NOTHING
    store.write("key", PARTIAL)
    store.write("other", NOTHING)
    assert store.read("key") == PARTIAL
    assert store.read("other") == NOTHING
    further = PartialResponses({"a-0": [1, 70_000, 3, 4]}, {}, [])
    store.write("key", further)
    assert store.read("key") == further
    store.remove("key")
    store.remove("key")
    assert store.read("key") == NOTHING
    assert [path.name for path in store.folder.iterdir()] == ["other.partial"]


def test_the_file_of_another_key_is_not_used(
    store: PartialResponseStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.write("other", PARTIAL)
    path = stored_file(store)
    content = path.read_bytes()
    path.rename(store.folder / "key.partial")
    with caplog.at_level(logging.WARNING):
        assert_moved_aside(store, content)
    assert "key.partial: holds responses of the cell other" in caplog.text


def test_the_file_of_another_version_is_not_used(
    store: PartialResponseStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(partial_responses, "VERSION", 7)
        store.write("key", PARTIAL)
    assert_moved_aside(store, stored_file(store).read_bytes())
    assert "of version 7, not 1" in caplog.text


def test_any_flipped_bit_and_any_cut_is_noticed(store: PartialResponseStore) -> None:
    store.write("key", PARTIAL)
    path = stored_file(store)
    content = path.read_bytes()
    for number, position in enumerate(range(0, len(content), 23)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << (position % 8)
        for changed in (bytes(flipped), content[:position]):
            path.write_bytes(changed)
            assert store.read("key") == NOTHING
            assert not path.exists()
        aside = list((store.folder.parents[1] / "corrupted").glob("*/*"))
        assert len(aside) == 2 * number + 2  # an earlier one is not replaced


def test_a_folder_of_that_name_is_not_used(store: PartialResponseStore) -> None:
    (store.folder / "key.partial").mkdir(parents=True)
    assert store.read("key") == NOTHING
    store.write("key", PARTIAL)
    assert store.read("key") == PARTIAL


def test_a_file_that_cannot_be_read_stops_the_command(store: PartialResponseStore) -> None:
    store.write("key", PARTIAL)
    path = stored_file(store)
    content = path.read_bytes()
    path.unlink()
    path.symlink_to("/proc/self/mem")  # reading it fails
    with pytest.raises(StudyError, match="Input/output error"):
        store.read("key")
    path.unlink()
    path.write_bytes(content)
    assert store.read("key") == PARTIAL


def test_what_was_committed_by_another_writer_is_swept(store: PartialResponseStore) -> None:
    store.sweep(lambda key: True)
    store.write("key", PARTIAL)
    store.write("other", PARTIAL)
    store.sweep(lambda key: key == "key")
    assert stored_file(store).name == "other.partial"
