"""Mutation testing: whether a test notices a small change of the code (`make mutants`).

A seeded sample of the mutants of each package is put, one mutant at a time, into a copy of the
working tree, and the tests that mirror the package are run there: first those of the module, then
the others of the package. Results are kept in `build/mutants`; the same command resumes, and runs
again what survived if the tests have changed since.

`equivalent.yaml` lists mutants that cannot change a result, by their key, each with the reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from tests.mutants.forked_tests import FAILED, PASSED, Outcome, preload, run_tests
from tests.mutants.mutant import Mutant, mutants
from tests.mutants.selection import TESTS, stages, tests_digest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "mutants"
TREE = FOLDER / f"tree-{os.getpid()}"
EQUIVALENT = Path(__file__).parent / "equivalent.yaml"


@dataclass(frozen=True)
class Result:
    """What the tests said about a mutant."""

    key: str
    killed: bool
    by: str
    "The first test that failed, or why there is none."
    seconds: float
    tests: str
    "Digest of the tests that were run."


def main() -> None:
    """Run the mutants that have no result yet; print the survivors and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=list(TESTS))
    parser.add_argument("--sample", type=int, default=200, help="mutants of each package")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    _copy_tree()
    preload()
    try:
        rows = []
        for package in arguments.packages:
            chosen = sample(package, arguments.sample, arguments.seed)
            rows.append(_table_row(package, chosen, _results(package, chosen)))
    finally:
        for folder in (TREE, TREE.with_name(f"{TREE.name}-tmp")):
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{'package':<22}{'mutants':>8}{'killed':>8}{'equivalent':>12}{'survived':>10}  share")
    print(*rows, sep="\n")


def sample(package: str, size: int, seed: int) -> list[Mutant]:
    """The mutants of a package with the smallest seeded digests.

    Code that changes elsewhere in the package hardly changes the sample.
    """
    paths = sorted((ROOT / package).rglob("*.py"))
    found = [mutant for path in paths for mutant in mutants(ROOT, path)]

    def rank(mutant: Mutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.key}".encode()).hexdigest()

    return sorted(found, key=rank)[:size]


def equivalent() -> dict[str, str]:
    """The reason why a mutant is equivalent, by key."""
    entries: list[dict[str, str]] = yaml.safe_load(EQUIVALENT.read_text()) or []
    return {entry["key"]: entry["reason"] for entry in entries}


def _table_row(package: str, chosen: list[Mutant], results: dict[str, Result]) -> str:
    """Print the unexplained survivors of a package; return its row of the table."""
    reasons = equivalent()
    survivors = [mutant for mutant in chosen if not results[mutant.key].killed]
    unexplained = [mutant for mutant in survivors if mutant.key not in reasons]
    for mutant in unexplained:
        print(f"survived {mutant.key} {mutant.module} {mutant.scope}")
        print(f"  - {mutant.before}\n  + {mutant.after}")
    n_equivalent = len(survivors) - len(unexplained)
    n_killed = len(chosen) - len(survivors)
    share = n_killed / max(1, len(chosen) - n_equivalent)
    counts = f"{len(chosen):>8}{n_killed:>8}{n_equivalent:>12}{len(unexplained):>10}"
    return f"{package:<22}{counts}  {100 * share:.0f} %"


def _results(package: str, chosen: Sequence[Mutant]) -> dict[str, Result]:
    """Results of all mutants by key; those that are missing are computed and kept."""
    path = FOLDER / f"{package.replace('/', '-')}.jsonl"
    tests = tests_digest(ROOT, package)
    results = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        result = Result(**json.loads(line))
        if result.killed or result.tests == tests:
            results[result.key] = result
    remaining = [mutant for mutant in chosen if mutant.key not in results]
    if not remaining:
        return results
    whole = run_tests(TREE, TESTS[package], timeout=3600)
    if whole.code != PASSED:
        raise SystemExit(f"{package}: a test fails without any mutant: {whole.by}")
    for number, mutant in enumerate(remaining, start=1):
        started = time.monotonic()
        killed, by = _is_killed(mutant, package, timeout=60 + 3 * whole.seconds)
        result = Result(mutant.key, killed, by, round(time.monotonic() - started, 1), tests)
        results[mutant.key] = result
        with path.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        what = by if killed else f"survived\n  - {mutant.before}\n  + {mutant.after}"
        print(f"{number}/{len(remaining)} {mutant.key} {mutant.module}: {what}", flush=True)
    return results


def _is_killed(mutant: Mutant, package: str, timeout: float) -> tuple[bool, str]:
    """Run the tests on a mutant until one fails: (whether one did, which)."""
    for tests in stages(TREE, package, mutant.module):
        outcome = _outcome(mutant, tests, timeout)
        if outcome.code != PASSED:
            return True, outcome.by
    return False, ""


def _outcome(mutant: Mutant, tests: Sequence[str], timeout: float) -> Outcome:
    """Run tests on a mutant.

    An end that no test explains (no end in time, a process that was killed) is laid to the mutant
    only if the same tests, run next without it, pass within a third of the time: the machine
    may be the cause.
    """
    path = TREE / mutant.module
    original = path.read_text()
    while True:
        try:
            _write(path, mutant.source)
            outcome = run_tests(TREE, tests, timeout)
        finally:
            _write(path, original)
        if outcome.code in (PASSED, FAILED):
            return outcome
        without = run_tests(TREE, tests, timeout)
        if without.code == FAILED:
            raise SystemExit(f"a test fails without any mutant: {without.by}")
        if without.code == PASSED and without.seconds < timeout / 3:
            return outcome
        timeout *= 2


def _write(path: Path, text: str) -> None:
    """Write a module without what Python compiled of it before."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    path.write_text(text)


def _copy_tree() -> None:
    """Copy every file that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name)


if __name__ == "__main__":
    main()
