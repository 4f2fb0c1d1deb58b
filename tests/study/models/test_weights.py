"""A model's files, their digests, and folders that are no models."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from study.errors import StudyError
from study.models.folders.files import model_files
from study.models.folders.location import model_folder
from study.models.pairs import ModelRef, zoo
from study.models.weights import (
    folder_facts,
    locked_model,
    model_facts,
    unchanged,
)

BASE = Path(zoo()[0].base.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "model"))


def test_facts_of_a_model(folder: Path) -> None:
    facts = model_facts(ModelRef(str(folder)), allow_pickled_weights=False)
    config = json.loads((folder / "config.json").read_text())
    assert facts == folder_facts(folder, allow_pickled_weights=False)
    assert facts.folder == folder
    assert facts.window == config["max_position_embeddings"]
    assert facts.weight_bytes == (folder / "model.safetensors").stat().st_size
    assert len(facts.weights) == len(facts.tokenizer) == len(facts.generation) == 64


@pytest.mark.parametrize(
    ("file", "digest"),
    [
        ("config.json", "weights"),
        ("model.safetensors", "weights"),
        ("tokenizer.json", "tokenizer"),
        ("tokenizer_config.json", "tokenizer"),
        ("generation_config.json", "generation"),
    ],
)
def test_a_digest_covers_its_files_and_no_others(folder: Path, file: str, digest: str) -> None:
    before = folder_facts(folder, allow_pickled_weights=False)
    content = bytearray((folder / file).read_bytes())
    if file == "model.safetensors":
        content[-1] ^= 1
    else:
        content += b" "
    (folder / file).write_bytes(bytes(content))
    after = folder_facts(folder, allow_pickled_weights=False)
    for name in ("weights", "tokenizer", "generation"):
        assert (getattr(after, name) != getattr(before, name)) == (name == digest)


def test_other_files_are_not_part_of_a_model(folder: Path) -> None:
    before = folder_facts(folder, allow_pickled_weights=False)
    (folder / "README.md").write_text("text")
    (folder / "consolidated.safetensors").write_bytes(b"the makers' own format")
    assert folder_facts(folder, allow_pickled_weights=False) == before


def test_the_window_may_be_in_the_text_configuration(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    window = config.pop("max_position_embeddings")
    (folder / "config.json").write_text(json.dumps({**config, "text_config": {"n_ctx": window}}))
    assert folder_facts(folder, allow_pickled_weights=False).window == window
    (folder / "config.json").write_text(json.dumps(config))
    assert folder_facts(folder, allow_pickled_weights=False).window is None


def test_pickled_weights_only_if_they_are_allowed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(StudyError, match=r"only in a pickle file, pytorch_model\.bin"):
        model_files(folder, allow_pickled_weights=False)
    files = model_files(folder, allow_pickled_weights=True)
    assert files.weights == (folder / "pytorch_model.bin",)
    assert set(files.all()) >= {folder / "config.json", folder / "tokenizer.json"}


FAULTS = {
    "config.json": "found no config.json; expected a model folder",
    "model.safetensors": r"found no weights; expected \*\.safetensors files",
    "tokenizer*": "found no tokenizer files",
}


@pytest.mark.parametrize("pattern", FAULTS)
def test_a_missing_file_is_named(folder: Path, pattern: str) -> None:
    for name in ("special_tokens_map.json", "chat_template.jinja"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(pattern):
        path.unlink()
    with pytest.raises(StudyError, match=FAULTS[pattern]):
        folder_facts(folder, allow_pickled_weights=False)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not JSON"), ("[]", "found a list; expected a JSON object")]
)
def test_a_corrupted_configuration_is_named(folder: Path, text: str, message: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(StudyError, match=message):
        folder_facts(folder, allow_pickled_weights=False)


def test_models_that_are_not_here(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such folder"):
        model_folder(ModelRef(str(tmp_path / "absent")))
    for name in ("nobody/nothing", "no/valid/name"):
        with pytest.raises(StudyError, match=r"in the hub's local cache.*study stage"):
            model_folder(ModelRef(name))


def test_a_locked_model_is_not_digested_again(folder: Path) -> None:
    locked = locked_model(folder, allow_pickled_weights=False)
    facts = folder_facts(folder, allow_pickled_weights=False)
    assert (locked.weights, locked.tokenizer) == (facts.weights, facts.tokenizer)
    assert locked.revision is None, "a folder has no commit"
    assert unchanged(folder, locked)

    # Other content with the size and time in the lock counts as unchanged.
    weights = folder / "model.safetensors"
    content, file = bytearray(weights.read_bytes()), locked.files["model.safetensors"]
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    assert not unchanged(folder, locked)
    changed = folder_facts(folder, allow_pickled_weights=False, locked=locked)
    assert changed.weights != facts.weights
    os.utime(weights, ns=(file.mtime_ns, file.mtime_ns))
    assert unchanged(folder, locked)
    assert folder_facts(folder, allow_pickled_weights=False, locked=locked) == facts
    weights.unlink()
    assert not unchanged(folder, locked)
