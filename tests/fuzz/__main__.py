"""`python -m tests.fuzz`: run the fuzzers and print one table of counts.

Exit code 1 if there was a fault; each is printed with the number that repeats it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzer import Counts, run_fuzzer
from tests.fuzz.kinds import FUZZERS

MAX_SHOWN = 10


def main() -> int:
    """Run the fuzzers as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"any of {', '.join(FUZZERS)}; by default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutants", type=int, default=2000, help="of each kind")
    parser.add_argument("--number", type=int, help="only the mutant of this number")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.mutants} mutants of each kind")
    print(f"{'kind':<16} {'mutants':>8} {'accepted':>9} {'refused':>8} {'faults':>7}")
    n_faults = 0
    for kind in arguments.kinds or FUZZERS:
        with tempfile.TemporaryDirectory() as folder:
            counts = run_fuzzer(
                FUZZERS[kind](),
                Path(folder),
                seed=arguments.seed,
                count=arguments.mutants,
                only=arguments.number,
            )
        _print_counts(FUZZERS[kind].name, counts)
        n_faults += len(counts.faults)
    return 1 if n_faults else 0


def _print_counts(name: str, counts: Counts) -> None:
    faults = len(counts.faults)
    print(f"{name:<16} {counts.mutants:>8} {counts.accepted:>9} {counts.refused:>8} {faults:>7}")
    for fault in counts.faults[:MAX_SHOWN]:
        print(f"  {fault}")
    if faults > MAX_SHOWN:
        print(f"  … and {faults - MAX_SHOWN} more")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
