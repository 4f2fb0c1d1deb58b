"""Facts about a model, from its files, without loading it.

In: a `ModelRef`. Out: `ModelFacts`: its folder, digests of everything that is read when it is
loaded, the context window. Models on the hub are looked up in the local cache; nothing is fetched.
Every fault is a `StudyError` that names the model and what to do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from study.errors import StudyError, printable
from study.models.folders.adapters import base_folder
from study.models.folders.contents import read_config, read_json, unreadable
from study.models.folders.files import CONFIG, ModelFiles, model_files, relative_name
from study.models.folders.location import model_folder
from study.models.folders.safetensors_headers import parameter_count
from study.models.pairs import ModelRef
from study.models.tokenizers import TokenizerOverrides
from study.results.identity import ChangedError
from study.results.lock import LockedFile, LockedModel

_WINDOW_KEYS = ("n_positions", "max_position_embeddings", "n_ctx")
MAX_WINDOW = 2**31
_SHA256 = re.compile("[0-9a-f]{64}")


class FileState(NamedTuple):
    """A file as it was at some time."""

    path: Path
    size: int
    mtime_ns: int


def file_state(path: Path) -> FileState:
    """The file as it is now; StudyError if it is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise unreadable(path, error) from None
    return FileState(path, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True)
class ModelFacts:
    """What is known about a model before it is loaded."""

    folder: Path
    weights: str
    "sha256 over configuration and weights, those of an adapter and its base included."
    tokenizer: str
    "sha256 over the tokenizer's files, chat template included."
    generation: str
    "sha256 over generation_config.json, whose defaults decide what a model generates."
    window: int | None
    "Context window in tokens; None if the configuration does not say."
    weight_bytes: int
    "Size of the weights on disk."
    overrides: TokenizerOverrides | None = None
    "What the study changes about the tokenizer: a recipe, or trust in its code."
    tensors: str = ""
    "sha256 over the files of the weights alone, whatever they are called."
    parameters: int | None = None
    "Number of parameters in the weights; None where it cannot be counted."
    has_template: bool = False
    "Whether the tokenizer has a chat template."
    trust_remote_code: bool = False
    "Whether code that comes with the model may run."
    base: Path | None = None
    "Folder of the model that the weights, an adapter, are applied to."
    files: tuple[FileState, ...] = field(default=(), repr=False)
    "Every file that was digested, those of the adapter's base included."

    def check_files(self) -> None:
        """ChangedError if a file is not as it was before it was digested."""
        for state in self.files:
            if file_state(state.path) != state:
                raise ChangedError(f"{state.path} changed while the model was loaded")


def model_facts(
    ref: ModelRef,
    *,
    allow_pickled_weights: bool,
    trust_remote_code: bool = False,
    locked: LockedModel | None = None,
) -> ModelFacts:
    """Facts about a model on this machine; StudyError if it is not here or not usable.

    Files that are unchanged since they were `locked` are not digested again.
    """
    folder = model_folder(ref, locked.revision if locked else None)
    return folder_facts(
        folder,
        allow_pickled_weights=allow_pickled_weights,
        trust_remote_code=trust_remote_code,
        locked=locked,
    )


def folder_facts(
    folder: Path,
    *,
    allow_pickled_weights: bool,
    trust_remote_code: bool = False,
    locked: LockedModel | None = None,
) -> ModelFacts:
    """Facts about the model in a folder."""
    parts = _parts(folder, allow_pickled_weights, trust_remote_code)
    files, whole = parts[0], parts[-1]
    states = tuple(file_state(p) for p in dict.fromkeys(p for part in parts for p in part.all()))
    digests = _Digests(parts, locked.files if locked else {})
    config_file = whole.folder / CONFIG
    tensors = [path for path in whole.weights if path in whole.tensors]
    return ModelFacts(
        folder=folder,
        weights=digests.of(path for part in parts for path in (*part.config, *part.weights)),
        tokenizer=digests.of(files.tokenizer),
        generation=digests.of(path for part in parts for path in part.generation),
        window=_window(config_file),
        weight_bytes=sum(file_state(path).size for part in parts for path in part.weights),
        overrides=TokenizerOverrides(trust_remote_code=True) if trust_remote_code else None,
        tensors=digests.of_contents([*tensors, *(p for part in parts[:-1] for p in part.weights)]),
        parameters=parameter_count(tensors, config_file),
        has_template=_has_template(files),
        trust_remote_code=trust_remote_code,
        base=whole.folder if whole.folder != folder else None,
        files=states,
    )


def locked_model(
    folder: Path, *, allow_pickled_weights: bool, trust_remote_code: bool = False
) -> LockedModel:
    """The entry of the lock for a model on this machine, every file digested."""
    parts = _parts(folder, allow_pickled_weights, trust_remote_code)
    digests = _Digests(parts, {})
    facts = folder_facts(
        folder, allow_pickled_weights=allow_pickled_weights, trust_remote_code=trust_remote_code
    )
    return LockedModel(
        revision=folder.name if folder.parent.name == "snapshots" else None,
        weights=facts.weights,
        tokenizer=facts.tokenizer,
        generation=facts.generation,
        files={
            digests.name(state.path): LockedFile(
                size=state.size, mtime_ns=state.mtime_ns, sha256=digests.of_file(state.path)
            )
            for state in facts.files
        },
    )


def unchanged(
    folder: Path,
    locked: LockedModel,
    *,
    allow_pickled_weights: bool = False,
    trust_remote_code: bool = False,
) -> bool:
    """Whether a model has exactly the locked files, with the sizes and modification times in the
    lock."""
    try:
        parts = _parts(folder, allow_pickled_weights, trust_remote_code)
    except StudyError:
        return False
    digests, now = _Digests(parts, {}), {}
    for path in (path for part in parts for path in part.all()):
        state = file_state(path)
        now[digests.name(path)] = (state.size, state.mtime_ns)
    return now == {name: (file.size, file.mtime_ns) for name, file in locked.files.items()}


def _parts(folder: Path, allow_pickled_weights: bool, trust_remote_code: bool) -> list[ModelFiles]:
    """The files of a model; of an adapter, also those of the model that it is applied to, last."""
    allowed = {
        "allow_pickled_weights": allow_pickled_weights,
        "trust_remote_code": trust_remote_code,
    }
    files = model_files(folder, **allowed)
    base = base_folder(files)
    if base is None:
        return [files]
    base_files = model_files(base, needs_tokenizer=False, **allowed)
    if base_files.adapter:
        raise StudyError(
            folder,
            found=f"an adapter of another adapter, {base}",
            expected="an adapter of a model",
            do="Merge the other one into its base",
        )
    return [files, base_files]


class _Digests:
    """Digests of files, each computed once. `known` are those in the lock, by name."""

    def __init__(self, parts: list[ModelFiles], known: Mapping[str, LockedFile]) -> None:
        self._known = known
        self._names: dict[Path, str] = {}
        self._contents: dict[Path, str] = {}
        for depth, part in enumerate(parts):
            prefix = "base/" * depth
            for path in part.all():
                self._names.setdefault(path, prefix + relative_name(path, part.folder))

    def name(self, path: Path) -> str:
        """A file's name in digests and in the lock."""
        return self._names[path]

    def of(self, files: Iterable[Path]) -> str:
        """sha256 over names and contents."""
        lines = (f"{self.name(path)} {self.of_file(path)}\n" for path in files)
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()

    def of_contents(self, files: Iterable[Path]) -> str:
        """sha256 over contents, whatever the files are called."""
        contents = sorted(self.of_file(path) for path in files)
        return hashlib.sha256("\n".join(contents).encode()).hexdigest()

    def of_file(self, path: Path) -> str:
        """sha256 of a file; the hub's cache already names large files by theirs."""
        if path not in self._contents:
            self._contents[path] = self._digest(path)
        return self._contents[path]

    def _digest(self, path: Path) -> str:
        target = path.resolve()
        if target.parent.name == "blobs" and _SHA256.fullmatch(target.name):
            return target.name
        locked, now = self._known.get(self.name(path)), file_state(path)
        if locked and (locked.size, locked.mtime_ns) == (now.size, now.mtime_ns):
            return locked.sha256
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(path, error) from None


def _has_template(files: ModelFiles) -> bool:
    names = {path.name: path for path in files.tokenizer}
    if any(name.endswith(".jinja") for name in names):
        return True
    config = names.get("tokenizer_config.json")
    return config is not None and bool(read_json(config).get("chat_template"))


def _window(path: Path) -> int | None:
    """The context window that a configuration states, None if it states none."""
    config = read_config(path)
    for key in _WINDOW_KEYS:
        window = config.get(key)
        if window is None:
            continue
        if type(window) is not int or not 1 <= window <= MAX_WINDOW:
            found = printable(repr(window), 100)
            raise StudyError(path, key, found=found, expected="a number of tokens")
        return window
    return None
