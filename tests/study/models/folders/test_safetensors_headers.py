"""Headers that contradict their file, and counting parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from study.errors import StudyError
from study.models.folders.safetensors_headers import parameter_count, read_header

Change = Callable[[dict[str, Any]], object]
TENSORS = {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    save_file(TENSORS, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_a_header_is_read_as_the_library_reads_it(file: Path) -> None:
    assert {name: tensor["shape"] for name, tensor in read_header(file).items()} == {
        name: list(tensor.shape) for name, tensor in load_file(file).items()
    }
    assert _count(file) == 10


def _with_header(file: Path, change: Change) -> None:
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


CHANGES: dict[str, Change] = {
    "shape": lambda header: header["a"].update(shape=[2, 4]),
    "negative shape": lambda header: header["a"].update(shape=[-2, -3]),
    "huge shape": lambda header: header["a"].update(shape=[2**62, 2**62]),
    "shape that is no list": lambda header: header["a"].update(shape=6),
    "fractional shape": lambda header: header["a"].update(shape=[2.0, 3.0]),
    "offsets": lambda header: header["a"].update(data_offsets=[0, 10**9]),
    "gap": lambda header: header.pop("a"),
    "overlap": lambda header: header["b"].update(data_offsets=header["a"]["data_offsets"]),
    "dtype": lambda header: header["a"].update(dtype="F64"),
    "no dtype": lambda header: header["a"].pop("dtype"),
    "no tensor": lambda header: header.update(a=3),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_header_that_lies_is_refused(kind: str, file: Path) -> None:
    _with_header(file, CHANGES[kind])
    with pytest.raises(StudyError, match="expected a whole safetensors file"):
        read_header(file)


@pytest.mark.parametrize("end", [0, 4, 8, 30, -1])
def test_a_truncated_file_is_refused(end: int, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(StudyError, match="expected a whole safetensors file"):
        read_header(file)


def test_a_huge_header_is_refused_without_reading_it(file: Path) -> None:
    file.write_bytes((2**63).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(StudyError, match="a header of 9223372036854775808 bytes in a file of"):
        read_header(file)


def _count(*files: Path, **config: Any) -> int | None:
    config_file = files[0].parent / "config.json"
    config_file.write_text(json.dumps(config))
    return parameter_count(files, config_file)


def test_what_counts_as_a_parameter(file: Path, tmp_path: Path) -> None:
    head = tmp_path / "head.safetensors"
    save_file({"lm_head.weight": torch.zeros(50)}, head)
    assert _count(file, head) == 60
    assert _count(file, head, tie_word_embeddings=True) == 10
    mask = tmp_path / "mask.safetensors"
    save_file({"mask": torch.zeros(3, dtype=torch.bool)}, mask)
    assert _count(file, head, mask) == 60
    assert _count(file, quantization_config={"bits": 4}) is None
    quantised = tmp_path / "quantised.safetensors"
    save_file({"packed": torch.zeros(5, dtype=torch.int32)}, quantised)
    assert _count(file, quantised) is None
    assert _count(tmp_path / "pytorch_model.bin") is None


@pytest.mark.parametrize(
    "config",
    [
        {"num_hidden_layers": 3},
        {"vocab_size": 6, "hidden_size": 2},
        {"vocab_size": 10**40, "hidden_size": 2},
    ],
)
def test_a_configuration_of_a_larger_model_is_refused(config: dict[str, int], file: Path) -> None:
    """Before anything of its size is allocated."""
    with pytest.raises(StudyError, match=r"expected a configuration of the weights beside it"):
        _count(file, **config)


def test_a_configuration_of_the_same_size_is_accepted(file: Path) -> None:
    assert _count(file, num_hidden_layers=2, vocab_size=5, hidden_size=2) == 10
