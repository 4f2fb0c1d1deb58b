"""Which files of a model folder decide a model's responses.

In: a folder. Out: `ModelFiles`, the files that transformers reads, by what they are part of. Every
entry of the folder has a class by its name; what has none (a licence, pictures, other formats of
the weights) is not read, and `opened_files` makes sure of it when a model is loaded. Files that the
libraries read in Rust are not seen there: safetensors files and tokenizer.json, which are covered
by their names here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyError
from study.models.folders.contents import read_json, unreadable

CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"
GENERATION_CONFIG = "generation_config.json"
TEMPLATES = "additional_chat_templates"
"The folder of a tokenizer's further chat templates."
ADAPTER_WEIGHTS = re.compile(r"adapter_model(\.safetensors|\.bin|-.*\.safetensors)")
# `consolidated.*` is the makers' own format, which transformers does not read.
WEIGHTS = re.compile(r"(?!consolidated).*\.safetensors")
PICKLED = re.compile(r".*\.(bin|pt)")
INDEX = re.compile(r".*\.index\.json")
CONFIGS = re.compile(r"(config|config\..*|adapter_config)\.json")
"Configurations of the model; `config.<version>.json` is for some versions of transformers."
_GENERATION = re.compile(r"generation_config\.json")
TOKENIZER = re.compile(
    r"""tokenizer.*\.json | special_tokens_map\.json | added_tokens\.json | tekken\.json
    | (.*[-_.])?vocab([-_.].*)?\.(json|txt) | merges\.txt | dict\.txt | bpe\.codes
    | tokenizer\.model.* | .*\.(model|spm|tiktoken|tokenizer) | chat_template\.json
    | (.*_)?processor_config\.json | (.*_)?preprocessor_config\.json
    | audio_tokenizer_config\.json | normalizer\.json | emoji\.json | byte_maps\.json
    | word_(shape|pronunciation)\.json""",
    re.VERBOSE,
)
"Everything that some tokenizer or processor of transformers is read from, but chat templates."
CHAT_TEMPLATE = re.compile(r".*\.jinja")


@dataclass(frozen=True)
class ModelFiles:
    """The files that decide a model's responses."""

    folder: Path
    config: tuple[Path, ...]
    "Configurations of the model and of an adapter, and code of the model where it may run."
    weights: tuple[Path, ...]
    "Weights of the model and of an adapter, with their index."
    tokenizer: tuple[Path, ...]
    generation: tuple[Path, ...]
    "generation_config.json, if there is one."

    def all(self) -> tuple[Path, ...]:
        """All of them."""
        return (*self.config, *self.weights, *self.tokenizer, *self.generation)

    @property
    def tensors(self) -> tuple[Path, ...]:
        """The weights without their index and without an adapter's."""
        return tuple(
            path
            for path in self.weights
            if not INDEX.fullmatch(path.name) and not ADAPTER_WEIGHTS.fullmatch(path.name)
        )

    @property
    def adapter(self) -> bool:
        """Whether the weights are an adapter on another model's weights."""
        return any(path.name == ADAPTER_CONFIG for path in self.config)


def model_files(
    folder: Path,
    *,
    allow_pickled_weights: bool = False,
    trust_remote_code: bool = False,
    needs_tokenizer: bool = True,
) -> ModelFiles:
    """The files of the model in a folder; StudyError if some are missing or cannot be used."""
    files = readable_files(
        folder, allow_pickled_weights=allow_pickled_weights, trust_remote_code=trust_remote_code
    )
    names = {path.name for path in files.config}
    if not names & {CONFIG, ADAPTER_CONFIG}:
        raise StudyError(folder, found=f"no {CONFIG}", expected="a model folder")
    if files.adapter:
        _check_adapter(files)
    else:
        _check_weights(files, allow_pickled_weights)
    if needs_tokenizer and not files.tokenizer:
        raise StudyError(folder, found="no tokenizer files", expected="tokenizer.json or the like")
    _check_indices(files)
    return files


def readable_files(
    folder: Path, *, allow_pickled_weights: bool = False, trust_remote_code: bool = False
) -> ModelFiles:
    """The files that may be read when something in the folder is loaded, whether complete or not.

    StudyError for a name of theirs that is not a file.
    """
    entries = list(_entries(folder))
    weights = _named(entries, WEIGHTS)
    if allow_pickled_weights and not any(not ADAPTER_WEIGHTS.fullmatch(p.name) for p in weights):
        weights += _named(entries, PICKLED)
    code = [path for path in sorted(folder.rglob("*.py")) if trust_remote_code]
    files = ModelFiles(
        folder,
        config=(*_named(entries, CONFIGS), *code),
        weights=(*weights, *_named(entries, INDEX)),
        tokenizer=(
            *_named(entries, TOKENIZER),
            *_named(entries, CHAT_TEMPLATE),
            *_named(_entries(folder / TEMPLATES), CHAT_TEMPLATE),
        ),
        generation=tuple(_named(entries, _GENERATION)),
    )
    for path in files.all():
        if not path.is_file():
            raise StudyError(path, found="something that is not a file", expected="a file")
    return files


def is_description(name: str, *, trust_remote_code: bool) -> bool:
    """Whether a file of a repository is read beside the weights, by its path in it."""
    parent, _, last = name.rpartition("/")
    if trust_remote_code and name.endswith(".py"):
        return True
    if parent:
        return parent == TEMPLATES and CHAT_TEMPLATE.fullmatch(last) is not None
    patterns = (CONFIGS, INDEX, TOKENIZER, CHAT_TEMPLATE, _GENERATION)
    return any(pattern.fullmatch(name) for pattern in patterns)


def relative_name(path: Path, folder: Path) -> str:
    """A file's name in digests and in the lock: its path in the folder, with slashes."""
    return path.relative_to(folder).as_posix()


def _entries(folder: Path) -> Iterator[Path]:
    """What is in a folder, sorted; nothing if it is none."""
    try:
        yield from sorted(folder / name for name in os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise unreadable(folder, error) from None


def _named(entries: Sequence[Path] | Iterator[Path], pattern: re.Pattern[str]) -> list[Path]:
    return [path for path in entries if pattern.fullmatch(path.name)]


def _check_adapter(files: ModelFiles) -> None:
    if not files.weights:
        raise StudyError(
            files.folder, found="no weights", expected="adapter_model.safetensors for the adapter"
        )


def _check_weights(files: ModelFiles, allow_pickled_weights: bool) -> None:
    if files.tensors:
        return
    pickled = _named(_entries(files.folder), PICKLED)
    if not pickled or allow_pickled_weights:
        raise StudyError(files.folder, found="no weights", expected="*.safetensors files")
    raise StudyError(
        files.folder,
        found=f"weights only in a pickle file, {pickled[0].name}",
        expected="*.safetensors files",
        do="Reading a pickle can execute its code; if you trust it, set "
        "`allow_pickled_weights: true` in the study file",
    )


def _check_indices(files: ModelFiles) -> None:
    """Every file that an index names must be one of the digested weights."""
    known = {relative_name(path, files.folder) for path in files.weights}
    for path in files.weights:
        if not INDEX.fullmatch(path.name) or ".bin" in path.name:
            continue
        shards = read_json(path).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise StudyError(
                path, "weight_map", found="nothing", expected="the file of each tensor"
            )
        for tensor, name in shards.items():
            if not isinstance(name, str) or name not in known:
                raise StudyError(
                    path,
                    f"weight_map: {tensor}",
                    found=json.dumps(name)[:200],
                    expected="one of the safetensors files beside it",
                )
