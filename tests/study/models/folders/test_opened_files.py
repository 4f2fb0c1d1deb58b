"""A file that is read while a model is loaded, and is not part of its identity."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import LlamaConfig

from study.errors import StudyError
from study.models.folders.loading import load_model
from study.models.folders.opened_files import only_known_files


def test_only_known_files_may_be_read(tmp_path: Path) -> None:
    known, unknown, elsewhere = (tmp_path / "model" / "a", tmp_path / "model" / "b", tmp_path / "c")
    known.parent.mkdir()
    for path in (known, unknown, elsewhere):
        path.write_text("text")
    with only_known_files([known.parent], [known]):
        known.read_text()
        elsewhere.read_text()
        (known.parent / "written").write_text("text")
    for name in ("b", "../model/b"):
        with (
            pytest.raises(StudyError, match=r"/b: found a file that was read"),
            only_known_files([known.parent], [known]),
        ):
            (known.parent / name).read_bytes()
    unknown.read_text()  # not watched any more


def test_links_are_followed(tmp_path: Path) -> None:
    """In the hub's cache files are links to blobs."""
    blob, folder = tmp_path / "blobs" / "0", tmp_path / "snapshot"
    blob.parent.mkdir()
    folder.mkdir()
    blob.write_text("text")
    (folder / "config.json").symlink_to(blob)
    with only_known_files([folder], [folder / "config.json"]):
        (folder / "config.json").read_text()
    with pytest.raises(StudyError, match="config"), only_known_files([folder], []):
        (folder / "config.json").read_text()


def test_a_loader_that_reads_another_file_fails_the_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a later version of transformers may."""
    (folder / "extra_config.json").write_text("{}")
    load_model(folder)
    original = LlamaConfig.from_dict.__func__  # type: ignore[attr-defined]

    def from_dict(kind: type, *arguments: object, **options: object) -> object:
        (folder / "extra_config.json").read_text()
        return original(kind, *arguments, **options)

    monkeypatch.setattr(LlamaConfig, "from_dict", classmethod(from_dict))
    with pytest.raises(
        StudyError, match=r"extra_config\.json: found a file that was read when the model was load"
    ):
        load_model(folder)
