"""Finding a model's files and digesting them, without loading it.

In: a `ModelRef`. Out: its folder and `ModelFacts`: a digest of weights and configuration, one
of the tokenizer, and how long a text it reads. Models on the hub are looked for in the local cache;
nothing is fetched. Every fault is a `StudyError` that names the model and what to do.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.pairs import ModelRef

_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip
_WINDOW_KEYS = ("n_positions", "max_position_embeddings", "n_ctx")


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model before it is loaded."""

    folder: Path
    weights: str
    "sha256 over configuration and weights."
    tokenizer: str
    "sha256 over the tokenizer's files, chat template included."
    window: int | None
    "Longest text, tokens; None where the configuration does not say."


def model_facts(ref: ModelRef, *, allow_pickled_weights: bool) -> ModelFacts:
    """Digests of a model that is on this machine; StudyError if it is not, or not usable."""
    folder = model_folder(ref)
    config = _config(folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickled = sorted([*folder.glob("*.bin"), *folder.glob("*.pt")])
        if not pickled:
            raise StudyError(folder, found="no weights", expected="*.safetensors files")
        if not allow_pickled_weights:
            raise StudyError(
                folder,
                found=f"weights only in a pickle file, {pickled[0].name}",
                expected="*.safetensors files",
                do="Reading a pickle can run its code; if you trust it, set "
                "`allow_pickled_weights: true` in the study file",
            )
        weights = pickled
    tokenizer = [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]
    if not tokenizer:
        raise StudyError(folder, found="no tokenizer files", expected="tokenizer.json or the like")
    window = next((config[key] for key in _WINDOW_KEYS if isinstance(config.get(key), int)), None)
    return ModelFacts(
        folder=folder,
        weights=_digest([folder / "config.json", *weights]),
        tokenizer=_digest(tokenizer),
        window=window,
    )


def model_folder(ref: ModelRef) -> Path:
    """The folder that holds the model on this machine."""
    if Path(ref.path).is_absolute():
        if not Path(ref.path).is_dir():
            raise StudyError(ref.path, found="no such folder", expected="a model's folder")
        return Path(ref.path)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(ref.path, "config.json", revision=ref.revision)
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        raise StudyError(
            ref.path,
            found="neither a folder nor in the hub's local cache",
            expected="a model on this machine",
            do=f"Fetch it: `hf download {ref.path}`",
        )
    return Path(found).parent


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(folder, found="no config.json", expected="a model's folder") from None
    except ValueError as error:
        raise StudyError(path, found=f"not JSON: {error}", expected="a configuration") from None
    if not isinstance(config, dict):
        raise StudyError(path, found=f"a {type(config).__name__}", expected="a configuration")
    text = config.get("text_config")
    return {**text, **config} if isinstance(text, dict) else config


def _digest(files: list[Path]) -> str:
    """sha256 over names and contents. The hub's cache already names large files by theirs."""
    digest = hashlib.sha256()
    for path in files:
        target = path.resolve()
        named = target.parent.name == "blobs" and len(target.name) == 64
        content = target.name if named else _file_digest(target)
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
