"""The demo's cells with shared-prefix scoring and with lm-eval's `hf` model, scores compared.

    python benchmarks/demo.py                    # every fifth pair of the zoo
    python benchmarks/demo.py --every 1          # all 31

Both sides load the same models and run the same cells through the study's own runner, one after the
other in one process; `hf` computes 64 requests at once. Exits with 1 if any score differs.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM

from study.models.weights import model_facts
from study.planning.plan_study import planned
from study.running.cells.run_model import Runner

ROOT = Path(__file__).parent.parent


class PlainRunner(Runner):
    """The study's runner, over lm-eval's own model."""

    def _load(self, job: Any, memory_share: float) -> Any:
        facts = model_facts(job.model, allow_pickled_weights=False)
        return _Hf(pretrained=str(facts.folder), device=self.device, batch_size=64)


class _Hf(HFLM):  # type: ignore[misc]
    def report(self) -> dict[str, Any]:
        return {}

    def encoded(self, texts: list[str]) -> list[list[int]]:
        return [self.tok_encode(text) for text in texts]


def main() -> int:
    """Runs both sides; 0 if all scores are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--every", type=int, default=5)
    every = parser.parse_args().every
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    state = planned(ROOT / "runs/demo")
    jobs = state.plan.jobs[: 2 * len(state.resolved.pairs) : every]
    seconds, scores = {}, {}
    for side, kind in (("hf", PlainRunner), ("shared-prefix", Runner)):
        with tempfile.TemporaryDirectory() as folder:
            runner = kind(state.resolved.study, ROOT / "runs/demo", "cpu")
            runner.cells = type(runner.cells)(Path(folder))
            for job in jobs[:1]:  # tasks are read once, on neither side's time
                list(runner.job(replace(job, cells=job.cells)))
            start = time.perf_counter()
            for job in jobs:
                assert not [e.reason for e in runner.job(job) if e.kind == "failed"]
            seconds[side] = time.perf_counter() - start
            keys = runner.cells.done()
            scores[side] = {key: runner.cells.record(key)["score"] for key in keys}
    cells = len(scores["hf"])
    different = sum(scores["hf"][key] != score for key, score in scores["shared-prefix"].items())
    print(
        f"{len(jobs)} models, {cells} cells: hf {seconds['hf']:.1f} s, shared-prefix "
        f"{seconds['shared-prefix']:.1f} s, {seconds['hf'] / seconds['shared-prefix']:.1f}x; "
        f"{different} of {cells} scores differ"
    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
