"""Coverage of intervals and level of tests, by simulation with the package's own estimators.

    python benchmarks/calibration.py                    # writes docs/calibration.md
    python benchmarks/calibration.py --repetitions 50   # printed only

Families of 1 to 5 pairs share part of their true scores (intra-family correlation). Base and tuned
models answer the same items, correctly with probability .5 + .1 (true score) + item + model by
item; the last part is partly shared by the two models of a pair. The correlation of true scores is
given, and that of measured scores follows from it and the error variances. Reported are how often
the default interval contains the correlation of measured scores, how often the disattenuated
interval contains that of true scores, how often p < .05 if there is no correlation, and the median
of the disattenuated estimate.
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
from workloads.simulated_pairs import Scenario, measured_rho, simulate

from analysis.statistics.correlation.correlate import correlate
from analysis.statistics.disattenuation.moments import error_covariance, of_covariances
from analysis.statistics.resampling.jackknife import family_jackknife, fisher_z

SEED = 20261121
DOCUMENT = Path(__file__).parents[1] / "docs" / "calibration.md"
DOCUMENT_REPETITIONS = 1000
"Repetitions from which on the document is written."
COVERAGE_BOUNDS, LEVEL_BOUNDS, MAX_BIAS = (0.93, 0.98), (0.03, 0.065), 0.02
EXPLANATION = """The disattenuated medians that miss the bounds do so with 6 families, 18 pairs on
average. There the median of a correlation without any measurement error is off by as much: a median
of 1,000 is known to about .02, and disattenuated correlations are skewed when some samples cannot
be disattenuated at all."""
COLUMNS = (
    "families",
    "icc",
    "true r",
    "items",
    "interval covers",
    "disattenuated covers",
    "rejects (WCR)",
    "rejects (jackknife)",
    "median r",
    "median disattenuated",
    "not estimable",
    "misses",
)


@dataclass(frozen=True)
class Outcome:
    """Shares and medians over the repetitions of a setting; nan where they do not apply."""

    scenario: Scenario
    repetitions: int
    covered: float
    disattenuated_covered: float
    rejected: float
    jackknife_rejected: float
    median: float
    disattenuated_median: float
    not_estimable: float

    def misses(self) -> list[str]:
        """What lies outside of the bounds."""
        names = []
        if not COVERAGE_BOUNDS[0] <= self.covered <= COVERAGE_BOUNDS[1]:
            names.append("interval")
        tested = not math.isnan(self.rejected)
        if tested and not LEVEL_BOUNDS[0] <= self.rejected <= LEVEL_BOUNDS[1]:
            names.append("level")
        if abs(self.disattenuated_median - self.scenario.rho) > MAX_BIAS:
            names.append("disattenuated")
        return names


SCENARIOS = [
    Scenario(*setting)
    for setting in itertools.product((6, 10, 15, 30), (0.0, 0.5), (0.0, 0.5, 0.9), (100, 1000))
]


def repetition(scenario: Scenario, rng: np.random.Generator) -> list[float]:
    """One simulated study: what `Outcome` averages, in its order."""
    x, y, families = simulate(scenario, rng)
    result = correlate(x.mean(1), y.mean(1), families)

    def disattenuated_z(selected: np.ndarray) -> float:
        means = np.cov(x[selected].mean(1), y[selected].mean(1))
        errors = error_covariance(x[selected], y[selected])
        return fisher_z(of_covariances(means, errors, int(selected.sum())).estimate)

    jackknife = family_jackknife(disattenuated_z, families)
    interval, _, note = jackknife.interval(fisher=True)
    target = measured_rho(scenario.rho, scenario.items)
    return [
        result.interval.low <= target <= result.interval.high,
        interval.low <= scenario.rho <= interval.high if not note else math.nan,
        result.p <= 0.05,
        result.jackknife_p <= 0.05,
        result.estimate,
        math.tanh(jackknife.estimates[0]),
        bool(note),
    ]


def outcome(job: tuple[Scenario, int, int]) -> Outcome:
    """Simulate a (scenario, repetitions, number); the number is part of the seed."""
    scenario, repetitions, number = job
    rng = np.random.default_rng([SEED, number])
    table = np.array([repetition(scenario, rng) for _ in range(repetitions)], dtype=float)
    no_correlation = scenario.rho == 0
    return Outcome(
        scenario,
        repetitions,
        covered=float(table[:, 0].mean()),
        disattenuated_covered=float(np.nanmean(table[:, 1])),
        rejected=float(table[:, 2].mean()) if no_correlation else math.nan,
        jackknife_rejected=float(table[:, 3].mean()) if no_correlation else math.nan,
        median=float(np.median(table[:, 4])),
        disattenuated_median=float(np.nanmedian(table[:, 5])),
        not_estimable=float(table[:, 6].mean()),
    )


def markdown(outcomes: list[Outcome]) -> str:
    """The document."""
    repetitions = outcomes[0].repetitions
    error = math.sqrt(0.95 * 0.05 / repetitions)
    lines = [
        "# Coverage and level, by simulation",
        "",
        *(__doc__ or "").split("\n\n")[2].strip().splitlines(),
        "",
        f"Written by `make calibrate` (seed {SEED}, {repetitions} repetitions per row: a share of "
        f".95 is known to ±{1.96 * error:.3f}).",
        f"Bounds: intervals cover {COVERAGE_BOUNDS[0]} to {COVERAGE_BOUNDS[1]}, tests of level .05 "
        f"reject {LEVEL_BOUNDS[0]} to {LEVEL_BOUNDS[1]}, disattenuated medians lie within "
        f"{MAX_BIAS} of the true value. The last column names what misses them.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---" * len(COLUMNS) + "|",
        *map(_row, outcomes),
    ]
    if any(result.misses() == ["disattenuated"] for result in outcomes):
        lines += ["", EXPLANATION]
    return "\n".join(lines) + "\n"


def _row(result: Outcome) -> str:
    scenario = result.scenario
    values = [
        result.covered,
        result.disattenuated_covered,
        result.rejected,
        result.jackknife_rejected,
        result.median,
        result.disattenuated_median,
        result.not_estimable,
    ]
    cells = ["" if math.isnan(value) else f"{value:.3f}" for value in values]
    setting = [f"{scenario.families}", f"{scenario.intra_family:g}", f"{scenario.rho:g}"]
    texts = [*setting, f"{scenario.items}", *cells, ", ".join(result.misses())]
    return "| " + " | ".join(texts) + " |"


def main() -> int:
    """Simulate every setting, on all cores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=DOCUMENT_REPETITIONS)
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    arguments = parser.parse_args()
    repetitions = 3 if arguments.smoke else arguments.repetitions
    scenarios = SCENARIOS[:2] if arguments.smoke else SCENARIOS
    jobs = [(scenario, repetitions, i) for i, scenario in enumerate(scenarios)]
    outcomes = []
    with multiprocessing.get_context("spawn").Pool(1 if arguments.smoke else None) as pool:
        for result in pool.imap(outcome, jobs):
            outcomes.append(result)
            print(f"{len(outcomes)}/{len(jobs)} {result}", file=sys.stderr, flush=True)
    text = markdown(outcomes)
    print(text)
    if repetitions >= DOCUMENT_REPETITIONS:
        DOCUMENT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
