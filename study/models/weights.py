"""Finding a model's files and digesting them, without loading the model.

In: a `ModelRef`. Out: its folder and `ModelFacts`: digests of weights and tokenizer, the context
window. Models on the hub are looked up in the local cache; nothing is fetched. Every fault is a
`StudyError` that names the model and what to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.models.pairs import ModelRef
from study.models.tokenizers import TokenizerOverrides
from study.results.lock import LockedFile, LockedModel

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
_WINDOW_KEYS = ("n_positions", "max_position_embeddings", "n_ctx")


@dataclass(frozen=True)
class ModelFiles:
    """The files that decide a model's responses."""

    config: Path
    weights: tuple[Path, ...]
    tokenizer: tuple[Path, ...]
    generation: tuple[Path, ...]
    "generation_config.json, if there is one."

    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.config, *self.weights, *self.tokenizer, *self.generation)


@dataclass(frozen=True)
class ModelFacts:
    """What is known about a model before it is loaded."""

    folder: Path
    weights: str
    "sha256 over configuration and weights."
    tokenizer: str
    "sha256 over the tokenizer's files, chat template included."
    generation: str
    "sha256 over generation_config.json, whose defaults decide what a model generates."
    window: int | None
    "Context window in tokens; None if the configuration does not say."
    weight_bytes: int
    "Size of the weights on disk."
    overrides: TokenizerOverrides | None = None
    "Of a model that the study trains: what its recipe changes about the base's tokenizer."


def model_facts(
    ref: ModelRef, *, allow_pickled_weights: bool, locked: LockedModel | None = None
) -> ModelFacts:
    """Facts about a model on this machine; StudyError if it is not here or not usable.

    Files that are unchanged since they were `locked` are not digested again.
    """
    folder = model_folder(ref, locked.revision if locked else None)
    return folder_facts(folder, allow_pickled_weights=allow_pickled_weights, locked=locked)


def folder_facts(
    folder: Path, *, allow_pickled_weights: bool, locked: LockedModel | None = None
) -> ModelFacts:
    """Facts about the model in a folder."""
    config = _config(folder)
    files = model_files(folder, allow_pickled_weights=allow_pickled_weights)
    known = locked.files if locked else {}
    window = next((config[key] for key in _WINDOW_KEYS if isinstance(config.get(key), int)), None)
    return ModelFacts(
        folder=folder,
        weights=_digest((files.config, *files.weights), known),
        tokenizer=_digest(files.tokenizer, known),
        generation=_digest(files.generation, known),
        window=window,
        weight_bytes=sum(path.stat().st_size for path in files.weights),
    )


def model_files(folder: Path, *, allow_pickled_weights: bool) -> ModelFiles:
    """The files of the model in a folder; StudyError if some are missing or are pickles."""
    # `consolidated.*` is the makers' own format, which transformers does not read.
    weights = sorted(
        path for path in folder.glob("*.safetensors") if not path.name.startswith("consolidated")
    )
    if not weights:
        pickled = sorted([*folder.glob("*.bin"), *folder.glob("*.pt")])
        if not pickled:
            raise StudyError(folder, found="no weights", expected="*.safetensors files")
        if not allow_pickled_weights:
            raise StudyError(
                folder,
                found=f"weights only in a pickle file, {pickled[0].name}",
                expected="*.safetensors files",
                do="Reading a pickle can execute its code; if you trust it, set "
                "`allow_pickled_weights: true` in the study file",
            )
        weights = pickled
    tokenizer = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not tokenizer:
        raise StudyError(folder, found="no tokenizer files", expected="tokenizer.json or the like")
    generation = [path for path in [folder / "generation_config.json"] if path.is_file()]
    return ModelFiles(folder / "config.json", tuple(weights), tuple(tokenizer), tuple(generation))


def locked_model(folder: Path, *, allow_pickled_weights: bool) -> LockedModel:
    """The entry of the lock for a model on this machine, every file digested."""
    facts = folder_facts(folder, allow_pickled_weights=allow_pickled_weights)
    files = model_files(folder, allow_pickled_weights=allow_pickled_weights)
    return LockedModel(
        revision=folder.name if folder.parent.name == "snapshots" else None,
        weights=facts.weights,
        tokenizer=facts.tokenizer,
        generation=facts.generation,
        files={
            path.name: LockedFile(
                size=path.stat().st_size,
                mtime_ns=path.stat().st_mtime_ns,
                sha256=_content_digest(path, {}),
            )
            for path in files.all()
        },
    )


def unchanged(folder: Path, locked: LockedModel) -> bool:
    """Whether all locked files exist with the size and modification time in the lock."""
    for name, file in locked.files.items():
        try:
            now = (folder / name).stat()
        except OSError:
            return False
        if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
            return False
    return True


def model_folder(ref: ModelRef, revision: str | None = None) -> Path:
    """The folder of a model on this machine, at a commit if one is given."""
    if Path(ref.path).is_absolute():
        if not Path(ref.path).is_dir():
            raise StudyError(ref.path, found="no such folder", expected="a model folder")
        return Path(ref.path)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(ref.path, "config.json", revision=revision or ref.revision)
    except HFValidationError:
        config = None
    if not isinstance(config, str):
        raise StudyError(
            ref.name,
            found="neither a folder nor a model in the hub's local cache",
            expected="a model on this machine",
            do="Fetch it with `study stage`",
        )
    return Path(config).parent


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(folder, found="no config.json", expected="a model folder") from None
    except ValueError as error:
        raise StudyError(path, found=f"not JSON: {error}", expected="a configuration") from None
    if not isinstance(config, dict):
        raise StudyError(path, found=f"a {type(config).__name__}", expected="a configuration")
    text = config.get("text_config")
    return {**text, **config} if isinstance(text, dict) else config


def _digest(files: Sequence[Path], known: Mapping[str, LockedFile]) -> str:
    """sha256 over names and contents."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {_content_digest(path, known)}\n".encode())
    return digest.hexdigest()


def _content_digest(path: Path, known: Mapping[str, LockedFile]) -> str:
    """sha256 of a file; the hub's cache already names large files by theirs."""
    target = path.resolve()
    if target.parent.name == "blobs" and len(target.name) == 64:
        return target.name
    locked, now = known.get(path.name), path.stat()
    if locked and (locked.size, locked.mtime_ns) == (now.st_size, now.st_mtime_ns):
        return locked.sha256
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
