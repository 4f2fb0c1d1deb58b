"""Do intervals cover and tests keep their level? By simulation, with the package's own estimators.

    python benchmarks/calibrate.py                    # writes docs/calibration.md
    python benchmarks/calibrate.py --repetitions 50   # a quick look, printed only

Families of 1 to 5 pairs share part of their true scores (intra-family correlation). Both sides
answer the same items: right with probability .5 + .1 (true score) + item + model by item, of which
the last is partly shared by base and tuned. The correlation of true scores is known; that of
measured ones is known from it and the errors' variances. Counted are: how often the default
interval holds the correlation of measured scores, how often the corrected interval holds that of
true scores, how often p < .05 where there is none, and the median of the corrected estimate.
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.data.families import Families
from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.disattenuation.moments import error_covariance, of_covariances
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z

SEED = 20261121
SCALE, HARD, QUIRK, SHARED = 0.1, 0.2, 0.1, 0.6
"Spread of true scores, half-range of items, spread of model by item, and its share in common."
WHY = """The corrected medians that miss do so with 6 families, 18 pairs on average: there the
median of an uncorrected correlation without any error is as far off (a median of 1,000 is known to
about .02, and the correction for noisy scores is skewed when some samples cannot be corrected at
all)."""
COVERED, REJECTED, NEAR = (0.93, 0.98), (0.03, 0.065), 0.02


@dataclass(frozen=True)
class Scenario:
    """One setting."""

    families: int
    intra_family: float
    rho: float
    items: int


@dataclass(frozen=True)
class Outcome:
    """What was counted in a setting; nan where it does not apply."""

    scenario: Scenario
    repetitions: int
    covered: float
    corrected_covered: float
    rejected: float
    jackknife_rejected: float
    naive: float
    corrected: float
    not_estimable: float

    def misses(self) -> list[str]:
        """What lies outside of the bounds."""
        found = []
        if not COVERED[0] <= self.covered <= COVERED[1]:
            found.append("interval")
        if not math.isnan(self.rejected) and not REJECTED[0] <= self.rejected <= REJECTED[1]:
            found.append("level")
        if abs(self.corrected - self.scenario.rho) > NEAR:
            found.append("corrected")
        return found


SCENARIOS = [
    Scenario(*setting)
    for setting in itertools.product((6, 10, 15, 30), (0.0, 0.5), (0.0, 0.5, 0.9), (100, 1000))
]


def measured_rho(rho: float, items: int) -> float:
    """The correlation of measured scores: true variance 1 and, in its units, the errors'."""
    # Variance of one answer that is not its item's: Bernoulli's at the mean of p(1 - p), and the
    # model by item part, which is in p's variance already.
    chance = 0.25 - SCALE**2 - HARD**2 / 3 - QUIRK**2
    error = (chance + QUIRK**2) / items / SCALE**2
    shared = SHARED * QUIRK**2 / items / SCALE**2
    return (rho + shared) / (1 + error)


def simulate(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, Families]:
    """Right or wrong [pairs, items] of both sides, and the families."""
    sizes = rng.integers(1, 6, scenario.families)
    labels = np.repeat(np.arange(scenario.families), sizes)
    cov = np.array([[1, scenario.rho], [scenario.rho, 1]])
    common = rng.multivariate_normal([0, 0], scenario.intra_family * cov, scenario.families)
    own = rng.multivariate_normal([0, 0], (1 - scenario.intra_family) * cov, len(labels))
    true = common[labels] + own
    shape = (len(labels), scenario.items)
    item = rng.uniform(-HARD, HARD, scenario.items)
    both = rng.normal(0, QUIRK * math.sqrt(SHARED), shape)
    sides = []
    for side in (0, 1):
        alone = rng.normal(0, QUIRK * math.sqrt(1 - SHARED), shape)
        p = 0.5 + SCALE * true[:, [side]] + item + both + alone
        sides.append((rng.random(shape) < p).astype(float))
    return sides[0], sides[1], Families.of(labels.tolist())


def outcome(job: tuple[Scenario, int, int]) -> Outcome:
    """Runs a setting."""
    scenario, repetitions, number = job
    rng = np.random.default_rng([SEED, number])
    target = measured_rho(scenario.rho, scenario.items)
    rows = []
    for _ in range(repetitions):
        x, y, families = simulate(scenario, rng)
        found = correlate(x.mean(1), y.mean(1), families)

        def corrected(rest: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            means = np.cov(x[rest].mean(1), y[rest].mean(1))
            errors = error_covariance(x[rest], y[rest])
            return of_covariances(means, errors, int(rest.sum())).estimate

        jackknife = family_jackknife(lambda rest: fisher_z(corrected(rest)), families)
        interval, _, note = jackknife.interval(fisher=True)
        rows.append(
            [
                found.interval.low <= target <= found.interval.high,
                interval.low <= scenario.rho <= interval.high if not note else math.nan,
                found.p <= 0.05,
                found.jackknife_p <= 0.05,
                found.estimate,
                math.tanh(jackknife.estimates[0]),
                bool(note),
            ]
        )
    table = np.array(rows, dtype=float)
    level = scenario.rho == 0
    return Outcome(
        scenario,
        repetitions,
        covered=float(table[:, 0].mean()),
        corrected_covered=float(np.nanmean(table[:, 1])),
        rejected=float(table[:, 2].mean()) if level else math.nan,
        jackknife_rejected=float(table[:, 3].mean()) if level else math.nan,
        naive=float(np.median(table[:, 4])),
        corrected=float(np.nanmedian(table[:, 5])),
        not_estimable=float(table[:, 6].mean()),
    )


def markdown(outcomes: list[Outcome], command: str) -> str:
    """The table of the docs."""
    repetitions = outcomes[0].repetitions
    error = math.sqrt(0.95 * 0.05 / repetitions)
    lines = [
        "# Coverage and level, by simulation",
        "",
        *(__doc__ or "").split("\n\n")[2].strip().splitlines(),
        "",
        f"Made by `{command}` (seed {SEED}, {repetitions} repetitions a row: a share of .95 is "
        f"known to ±{1.96 * error:.3f}).",
        f"Bounds: intervals cover {COVERED[0]} to {COVERED[1]}, tests of level .05 reject "
        f"{REJECTED[0]} to {REJECTED[1]}, corrected medians lie within {NEAR} of the truth. What "
        "misses them is named in the last column.",
        "",
        "| families | icc | true r | items | interval covers | corrected covers | rejects (WCR) | "
        "rejects (jackknife) | median r | median corrected | not estimable | misses |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in outcomes:
        s = found.scenario
        values = [found.covered, found.corrected_covered, found.rejected, found.jackknife_rejected,
                  found.naive, found.corrected, found.not_estimable]  # fmt: skip
        cells = ["" if math.isnan(value) else f"{value:.3f}" for value in values]
        setting = [str(s.families), f"{s.intra_family:g}", f"{s.rho:g}", str(s.items)]
        lines.append("| " + " | ".join([*setting, *cells, ", ".join(found.misses())]) + " |")
    if any(found.misses() == ["corrected"] for found in outcomes):
        lines += ["", WHY]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Runs every setting on all cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    jobs = [(scenario, repetitions, i) for i, scenario in enumerate(SCENARIOS)]
    outcomes = []
    with multiprocessing.get_context("spawn").Pool() as pool:
        for found in pool.imap(outcome, jobs):
            outcomes.append(found)
            print(f"{len(outcomes)}/{len(jobs)} {found}", file=sys.stderr, flush=True)
    text = markdown(outcomes, "make calibrate")
    print(text)
    if repetitions >= 1000:
        (Path(__file__).parent.parent / "docs" / "calibration.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
