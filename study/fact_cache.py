"""Facts that take long to derive, cached on disk under the content that determines them.

In: a kind of fact, everything that it is derived from, and the function that derives it. Out: the
fact, as JSON. The key of an entry is a digest of its sources, of this package's code and of the
versions of the packages that facts are derived with, so a change of any of them makes another
entry; sizes and modification times play no part. An entry is used only if its own digest is right.

The cache is in the user's cache folder, or in the one that `ICL_CONVERGENCE_CACHE` names. It can be
deleted at any time. Where it cannot be read or written, every fact is derived.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

LOCATION = "ICL_CONVERGENCE_CACHE"
"Environment variable that names the folder of the cache."
PACKAGES = (
    "datasets",
    "huggingface_hub",
    "jinja2",
    "lm_eval",
    "numpy",
    "pandas",
    "pyarrow",
    "pyyaml",
    "tokenizers",
    "torch",
    "transformers",
)
"Packages that take part in deriving facts."
MAX_ENTRIES = 20_000
"Entries of a kind beyond which the older half is deleted."


_started = time.time_ns()
"When this process began, by the clock that dates files."


def cached_fact(
    kind: str, sources: Any, derive: Callable[[], Any], files: Iterable[Path] = ()
) -> Any:
    """What `derive` returns for these sources, which JSON must be able to hold.

    `sources` are everything that the fact depends on, as JSON; None if that is not known, and then
    nothing is cached. Errors are passed on and not cached. `files` are those from which `sources`
    were read and the fact is derived: nothing is cached if one of them changed since this process
    began, because the fact may then be that of other content.
    """
    file = None if sources is None else _file(kind, sources)
    if file is None:
        return derive()
    entry = _read(file)
    if entry is None:
        entry = [derive()]
        if not any(map(_changed, files)):
            _write(file, entry)
    return entry[0]


def contents(files: Iterable[Path]) -> str:
    """sha256 over paths and contents of files, in order; OSError if one cannot be read."""
    digest = hashlib.sha256()
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(json.dumps([str(path), content]).encode())
    return digest.hexdigest()


def _changed(path: Path) -> bool:
    """Whether a file changed since this process began, or is gone."""
    try:
        return path.stat().st_ctime_ns >= _started
    except OSError:
        return True


def _file(kind: str, sources: Any) -> Path | None:
    """The file of an entry; None if facts cannot be cached here."""
    environment = _environment()
    location = os.environ.get(LOCATION)
    if environment is None:
        return None
    with suppress(RuntimeError):  # there is no home
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(location) if location else Path(home) / "icl-convergence"
        key = json.dumps([environment, kind, sources], sort_keys=True)
        return folder / kind / hashlib.sha256(key.encode()).hexdigest()
    return None


@cache
def _environment() -> str | None:
    """sha256 of this package's code and of versions; None if one of the packages is installed as a
    folder that can be edited, so that its version does not tell its code."""
    parts = [platform.python_version(), contents(sorted(Path(__file__).parent.rglob("*.py")))]
    for name in PACKAGES:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            parts.append("")
            continue
        if '"editable": true' in (package.read_text("direct_url.json") or ""):
            return None
        parts.append(package.version)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(file: Path) -> list[Any] | None:
    """The fact in a file, in a list; None if there is none or it is corrupted."""
    try:
        digest, _, content = file.read_bytes().partition(b"\n")
        if digest.decode() != _digest(file, content):
            return None
        fact: list[Any] = json.loads(content)
    except (OSError, ValueError):
        return None
    return fact


def _write(file: Path, fact: list[Any]) -> None:
    content = json.dumps(fact).encode()
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.write_bytes(_digest(file, content).encode() + b"\n" + content)
        os.replace(temporary, file)
        if file.name.startswith("00"):  # one write in 256
            _delete_oldest(file.parent)


def _digest(file: Path, content: bytes) -> str:
    """sha256 of an entry and its name, so that an entry under another's name is not used."""
    return hashlib.sha256(file.name.encode() + content).hexdigest()


def _delete_oldest(folder: Path) -> None:
    """Delete the older half of a folder's entries if there are too many."""
    files = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder)]
    if len(files) > MAX_ENTRIES:
        for _, path in sorted(files)[: len(files) // 2]:
            os.unlink(path)
