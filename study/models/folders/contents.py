"""The JSON files of a model folder, read as what they must be.

In: a path. Out: a dictionary, or a StudyError. Model folders come from elsewhere, so nothing about
their files is taken for granted.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from study.errors import StudyError, printable

MAX_BYTES = 2**26
"Size of a JSON file beyond which it is refused: an index of 100,000 tensors has a tenth of it."


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; StudyError if it cannot be read or is something else."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise StudyError(path, found=f"{size} bytes", expected=f"at most {MAX_BYTES}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from None
    except RecursionError:
        raise StudyError(path, found="deep nesting", expected="a JSON object") from None
    except ValueError as error:
        found = f"not JSON: {printable(error, 300)}"
        raise StudyError(path, found=found, expected="a JSON object") from None
    if not isinstance(content, dict):
        raise StudyError(path, found=f"a {type(content).__name__}", expected="a JSON object")
    return content


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a model; of a multimodal one, its language model's values as well."""
    config = read_json(path)
    text = config.get("text_config")
    return {**text, **config} if isinstance(text, dict) else config


def unreadable(path: Path, error: OSError) -> StudyError:
    """The error for a file that the operating system does not give."""
    found = error.strerror or os.strerror(error.errno or 0)
    return StudyError(path, found=found.lower(), expected="a readable file")
