"""Headers of safetensors files: what tensors a checkpoint says it has, without reading them.

In: files. Out: the number of parameters; StudyError for a file that is not what its header says. A
file is 8 bytes with the length of the header, the header (JSON: dtype, shape and offsets by tensor)
and the tensors, without gaps (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from study.errors import StudyError, printable
from study.models.folders.contents import read_config, unreadable

MAX_HEADER_BYTES = 100_000_000
"The library's own limit."
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
}
"Bits of an element, by dtype; the library refuses other ones or knows them better."
UNQUANTISED = {"F64", "F32", "F16", "BF16"}
MAX_OTHER_SHARE = 0.05
"Share of elements of other dtypes (masks, positions) beyond which weights count as quantised."


def parameter_count(files: Iterable[Path], config_file: Path) -> int | None:
    """Number of elements of all tensors in safetensors files, tied embeddings once.

    None for quantised weights, whose elements are not parameters, and for other formats. StudyError
    for a configuration of a model that cannot be in the files, because it has more layers than they
    have tensors, or embeddings with more elements than all of them.
    """
    headers = [read_header(path) for path in files if path.suffix == ".safetensors"]
    if not headers:
        return None
    config = read_config(config_file)
    counts: dict[str, int] = {}
    other = 0
    for header in headers:
        for name, tensor in header.items():
            elements = math.prod(tensor["shape"])
            if tensor["dtype"] in UNQUANTISED:
                counts[name] = elements
            else:
                other += elements
    if config.get("tie_word_embeddings") is True:
        counts.pop("lm_head.weight", None)
    total = sum(counts.values())
    quantised = config.get("quantization_config") or other > MAX_OTHER_SHARE * total
    n_tensors = sum(map(len, headers))
    _check_least(config_file, config, ("num_hidden_layers",), n_tensors, "tensors")
    if quantised:
        return None
    _check_least(config_file, config, ("vocab_size", "hidden_size"), total, "elements")
    return total


def _check_least(
    path: Path, config: Mapping[str, Any], keys: tuple[str, ...], available: int, what: str
) -> None:
    """A model of this configuration needs at least the product of these numbers."""
    numbers = [config.get(key) for key in keys]
    if not all(type(number) is int for number in numbers):
        return  # transformers' defaults, or what it refuses
    if math.prod(numbers) > available:  # type: ignore[arg-type]
        raise StudyError(
            path,
            " and ".join(keys),
            found=" and ".join(printable(number, 40) for number in numbers),
            expected=f"a configuration of the weights beside it, which have {available} {what}",
        )


def read_header(path: Path) -> dict[str, dict[str, Any]]:
    """dtype, shape and offsets of each tensor; StudyError if they contradict the file."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                raise _corrupted(path, f"a header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length).decode())
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise _corrupted(path, "a header that is not JSON") from None
    if not isinstance(header, dict):
        raise _corrupted(path, "a header that is not a JSON object")
    header.pop("__metadata__", None)
    end = 0
    for name, tensor in sorted(header.items(), key=_begin):
        end = _checked_end(path, name, tensor, end)
    if end != size - 8 - length:
        raise _corrupted(path, f"{size - 8 - length} bytes of tensors where the header says {end}")
    return header


def _begin(entry: tuple[str, Any]) -> tuple[int, int]:
    """Where a tensor begins and ends; (-1, -1) for what is no tensor."""
    offsets = entry[1].get("data_offsets") if isinstance(entry[1], dict) else None
    if not isinstance(offsets, list) or not all(type(offset) is int for offset in offsets):
        return -1, -1
    return (offsets[0], offsets[1]) if len(offsets) == 2 else (-1, -1)


def _checked_end(path: Path, name: str, tensor: Any, end: int) -> int:
    """Where a tensor ends that begins at `end`."""
    begin, next_end = _begin((name, tensor))
    shape: Any = tensor.get("shape") if isinstance(tensor, dict) else None
    valid_shape = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
    if begin != end or next_end < begin or not valid_shape:
        raise _corrupted(path, f"an invalid entry for the tensor {printable(name, 100)!r}")
    bits = BITS.get(tensor["dtype"]) if isinstance(tensor.get("dtype"), str) else 0
    if bits is not None and math.prod(shape) * bits != 8 * (next_end - begin):
        raise _corrupted(
            path,
            f"{next_end - begin} bytes of the tensor {printable(name, 100)!r}, which has "
            f"{printable(tensor.get('dtype'), 20)} elements of shape {printable(shape, 100)}",
        )
    return next_end


def _corrupted(path: Path, found: str) -> StudyError:
    return StudyError(
        path,
        found=found,
        expected="a whole safetensors file",
        do="Fetch or copy it again: it is corrupted or incomplete",
    )
