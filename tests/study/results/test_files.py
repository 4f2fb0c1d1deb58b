"""A file is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from study.errors import StudyError
from study.results.files import file_name, flush, unwritable, write_whole


def test_content_replaces_the_old_and_nothing_else_remains(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    flush(path)


def test_a_folder_in_the_place_of_the_file_is_an_error_and_no_file_remains(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(StudyError, match="expected a folder that can be written to"):
        write_whole(tmp_path / "file", b"content")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(StudyError, match=r"folder/file: found (Not a directory|File exists)"):
        write_whole(tmp_path / "folder" / "file", b"content")


def test_the_error_says_why_and_what_to_do() -> None:
    error = unwritable(Path("place"), OSError(28, os.strerror(28)))
    assert str(error).startswith("place: found No space left on device; expected")
    assert "Free space or change the permissions" in str(error)
    assert unwritable(Path("place"), OSError("odd")).found == "odd"


def test_a_name_of_a_model_becomes_part_of_a_file_name() -> None:
    assert file_name("org/Model-1.5_b@main") == "org-Model-1.5_b-main"
    assert len(file_name("m" * 500)) == 120
    assert file_name("x" * 200 + "end").endswith("end")
