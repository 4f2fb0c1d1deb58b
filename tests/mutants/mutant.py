"""Mutants of a module: single changes of its code that a test should notice.

In: the path of a module. Out: its `Mutant`s, each with the whole text of the changed module.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.edits import Source
from tests.mutants.operators import edits


@dataclass(frozen=True)
class Mutant:
    """A single change of a module."""

    module: str
    "Path of the module."
    scope: str
    "Qualified name of the function or class; empty at the top of the module."
    before: str
    "The changed lines, their white space reduced."
    after: str
    occurrence: int
    "Number of equal changes before this one in the same scope."
    source: str
    "The whole module after the change."

    @property
    def key(self) -> str:
        """Digest of the change; independent of all other lines."""
        parts = (self.module, self.scope, self.before, self.after, str(self.occurrence))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def mutants(root: Path, path: Path) -> list[Mutant]:
    """All mutants of a module that compile."""
    text = path.read_text()
    module, source = path.relative_to(root).as_posix(), Source(text)
    seen: dict[tuple[str, str, str], int] = {}
    found: list[Mutant] = []
    for scope, edit in edits(ast.parse(text), "", source):
        mutated = source.edited(edit)
        try:
            compile(mutated, module, "exec")
        except SyntaxError:
            continue
        before, after = source.lines(edit)
        occurrence = seen.get((scope, before, after), 0)
        seen[scope, before, after] = occurrence + 1
        found.append(Mutant(module, scope, before, after, occurrence, mutated))
    return found
