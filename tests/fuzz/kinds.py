"""The fuzzers by the names of their modules: every `fuzz_<kind>.py` of this folder."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.fuzz.fuzzer import Fuzzer


def _fuzzer(kind: str) -> type[Fuzzer]:
    """The one class of the module that derives from `Fuzzer`."""
    module = importlib.import_module(f"tests.fuzz.fuzz_{kind}")
    (fuzzer,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
        if issubclass(value, Fuzzer)
    ]
    return fuzzer


KINDS = sorted(path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py"))
FUZZERS = {kind: _fuzzer(kind) for kind in KINDS}
