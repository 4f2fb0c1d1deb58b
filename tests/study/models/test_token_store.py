"""Token ids on disk: many writers, corruption, a limited size, a tokenizer that changes."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from study.models.token_store import TokenStore
from study.results.files import sweep

KEYS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(20)]


def content(key: str) -> bytes:
    return key.encode() * 1000


def write_and_read(folder: Path) -> int:
    """Write all keys, reading each before and after; returns how many other contents were read."""
    store = TokenStore(folder)
    wrong = 0
    for key in KEYS:
        wrong += store.read(key) not in (None, content(key))
        store.write(key, content(key))
        wrong += store.read(key) != content(key)
    return wrong


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, get_context("fork")) as processes:
        assert list(processes.map(write_and_read, [tmp_path / "tokens"] * 3)) == [0, 0, 0]
    assert sorted(os.listdir(tmp_path / "tokens")) == sorted(KEYS)
    assert sweep(tmp_path) == 0


@pytest.mark.parametrize("change", ["cut", "flipped", "empty", "folder", "loop", "renamed"])
def test_a_corrupted_file_is_not_used(change: str, tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.write(KEYS[0], content(KEYS[0]))
    path = tmp_path / KEYS[0]
    whole = path.read_bytes()
    path.unlink()
    if change == "folder":
        path.mkdir()
    elif change == "loop":
        path.symlink_to(path)
    elif change == "renamed":
        store.write(KEYS[1], content(KEYS[1]))
        shutil.copy(tmp_path / KEYS[1], path)
    else:
        flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
        path.write_bytes({"cut": whole[:-1], "flipped": flipped, "empty": b""}[change])
    assert store.read(KEYS[0]) is None
    if change != "folder":
        store.write(KEYS[0], content(KEYS[0]))
        assert store.read(KEYS[0]) == content(KEYS[0])


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "tokens").touch()
    store = TokenStore(tmp_path / "tokens")
    store.write(KEYS[0], content(KEYS[0]))
    assert store.read(KEYS[0]) is None


def test_the_oldest_files_are_deleted(tmp_path: Path) -> None:
    size = len(content(KEYS[0])) + 32
    for age, key in enumerate(reversed(KEYS[:4])):
        TokenStore(tmp_path).write(key, content(key))
        os.utime(tmp_path / key, (1000 + age, 1000 + age))
    TokenStore(tmp_path, max_bytes=4 * size).write(KEYS[4], content(KEYS[4]))
    assert sorted(os.listdir(tmp_path)) == sorted([KEYS[0], KEYS[1], KEYS[4]])
