"""Which files of a model folder are part of the model, and folders in which they are not files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import transformers

from study.errors import StudyError
from study.models.folders.files import (
    CONFIGS,
    TOKENIZER,
    is_description,
    model_files,
    readable_files,
)
from tests.study.models.folders.conftest import change_json


def test_every_vocabulary_of_transformers_is_known() -> None:
    """All file names that a tokenizer of the installed version declares."""
    names: set[str] = set()
    for path in (Path(transformers.__file__).parent / "models").rglob("*token*.py"):
        for block in re.findall(r"VOCAB_FILES_NAMES[^=]*=\s*\{(.*?)\}", path.read_text(), re.S):
            names |= set(re.findall(r':\s*"([^"]+)"', block))
    assert len(names) > 15
    assert {name for name in names if not TOKENIZER.fullmatch(name)} == set()


def test_files_are_classified(folder: Path) -> None:
    (folder / "additional_chat_templates").mkdir()
    for name in (
        "tokenizer.model",
        "model.tiktoken",
        "additional_chat_templates/tools.jinja",
        "README.md",
        "training_args.bin",
        "trainer_state.json",
        "code.py",
        "onnx.py",
    ):
        (folder / name).write_text("text")
    files = model_files(folder)
    names = {path.relative_to(folder).as_posix() for path in files.all()}
    assert names == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "model.tiktoken",
        "additional_chat_templates/tools.jinja",
    }
    trusted = model_files(folder, trust_remote_code=True)
    assert {path.name for path in trusted.config} == {"config.json", "code.py", "onnx.py"}
    for name in names - {"model.safetensors"}:
        assert is_description(name, trust_remote_code=False)
    assert not is_description("README.md", trust_remote_code=True)
    assert is_description("sub/code.py", trust_remote_code=True)
    assert not is_description("sub/tokenizer.json", trust_remote_code=False)
    assert CONFIGS.fullmatch("config.4.0.0.json")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja"])
@pytest.mark.parametrize("kind", ["folder", "dangling link", "loop", "pipe"])
def test_what_is_not_a_file_is_an_error(kind: str, name: str, folder: Path) -> None:
    path = folder / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "loop" else folder / "nothing")
    with pytest.raises(StudyError, match=rf"{name}: found something that is not a file"):
        readable_files(folder)


@pytest.mark.parametrize("shard", ["../model.safetensors", "absent.safetensors", 3])
def test_an_index_names_files_of_the_folder(shard: object, folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text("{}")
    with pytest.raises(StudyError, match="weight_map: found nothing"):
        model_files(folder)
    change_json(index, weight_map={"a": "model.safetensors", "b": shard})
    with pytest.raises(StudyError, match=r"index\.json: weight_map: b: found .*; expected one of"):
        model_files(folder)
    change_json(index, weight_map={"a": "model.safetensors"})
    assert index in model_files(folder).weights
