"""The demo study, by shared-prefix scoring and by what people use today; scores compared.

    python benchmarks/demo_time.py                   # both parts
    python benchmarks/demo_time.py hf --every 1      # all 31 pairs instead of every fifth
    python benchmarks/demo_time.py loop

hf    the cells of some pairs with `shared-prefix` and with lm-eval's `hf`, which computes 64
      requests at a time: the same models and cells, one side after the other in this process
loop  `study run` against a shell loop with one `lm_eval` process per model, arm and draw. Some of
      the processes are run, and the others are assumed to take as long on average. Scores are
      compared for the arm that is the same in both (zero-shot, without chat template)

Exits with 1 if any score differs.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from lm_eval.models.huggingface import HFLM
from workloads.demo_study import SMALL, cell_scores, demo_run, timed_command, timed_run

from study.models.pairs import ModelRef, study_pairs
from study.models.weights import model_facts
from study.planning.cost.throughput import Timings
from study.planning.plan import Job
from study.planning.plan_study import plan_study
from study.results.run import Run
from study.running.cells.run_cell import LoadedModel
from study.running.cells.run_model import ModelRunner
from study.tasks.suites import study_tasks
from study.zoo import TASKS

SAMPLED = 5
"Processes of the loop that are run."
COMPARED_ARM = "base-0shot"


class HfRunner(ModelRunner):
    """The study's runner with lm-eval's own model."""

    def _load(self, job: Job, memory_share: float, timings: Timings) -> LoadedModel:
        facts = model_facts(job.model, allow_pickled_weights=False)
        lm: Any = _StudyHf(pretrained=str(facts.folder), device=self.device, batch_size=64)
        return LoadedModel(lm, job.params_b, job.model.revision, facts.weights, None)


class _StudyHf(HFLM):  # type: ignore[misc]
    """`hf` with what the runner uses."""

    encoding = None

    def report(self) -> dict[str, Any]:
        return {}

    def encoded(self, texts: list[str]) -> list[list[int]]:
        return [self.tok_encode(text) for text in texts]

    def continuation_lengths(self, requests: Sequence[Any]) -> list[int]:
        return [len(self._encode_pair(*request.args)[1]) for request in requests]

    def resuming(self, *_: Any) -> AbstractContextManager[None]:
        return nullcontext()


def compare_hf(folder: Path, changes: dict[str, Any], every: int) -> bool:
    """Run the cells of every n-th pair on both sides; whether all scores are equal."""
    planned = plan_study(demo_run(folder / "plan", **changes))
    jobs = planned.plan.jobs[: 2 * len(planned.resolved.pairs) : every]
    seconds, scores = {}, {}
    for side, kind in (("hf", HfRunner), ("shared-prefix", ModelRunner)):
        run = demo_run(folder / side, **changes)
        runner = kind(run, "cpu")
        list(runner.run_job(jobs[0]))  # reads the tasks, which is not to be measured
        start = time.perf_counter()
        for job in jobs:
            failures = [event.failure() for event in runner.run_job(job) if event.kind == "failed"]
            assert not failures, failures
        seconds[side] = time.perf_counter() - start
        scores[side] = cell_scores(run)
    ours, theirs = scores["shared-prefix"], scores["hf"]
    different = sum(theirs[key] != score for key, score in ours.items())
    print(
        f"{len(jobs)} models, {len(ours)} cells: hf {seconds['hf']:.1f} s, shared-prefix "
        f"{seconds['shared-prefix']:.1f} s, {seconds['hf'] / seconds['shared-prefix']:.1f}x; "
        f"{different} of {len(ours)} scores differ",
        flush=True,
    )
    return different == 0 and len(ours) == len(theirs) > 0


def compare_loop(folder: Path, changes: dict[str, Any], sampled: int, workers: int) -> bool:
    """Run the demo by `study run` and by the loop; whether the scores of one arm are equal."""
    run = demo_run(folder / "demo", **changes)
    our_seconds = timed_run(run, workers)
    pairs = study_pairs(run.study)
    processes = [
        (pair.member(arm.split("-")[0]), arm, draw)
        for pair in pairs
        for arm in run.study.arm_names()
        for draw in range(run.study.draws_of(arm))
    ]
    chosen = random.Random(0).sample(processes, sampled - 1)
    chosen.append((pairs[-1].base, COMPARED_ARM, 0))
    seconds, equal = [], True
    for number, (model, arm, draw) in enumerate(chosen):
        output = folder / f"lm_eval{number}"
        seconds.append(timed_command(lm_eval_command(run, model, arm, draw, output)))
        print(f"  lm_eval {model.name} {arm}: {seconds[-1]:.1f} s", flush=True)
        if arm == COMPARED_ARM:
            equal &= same_scores(run, model.name, output)
    mean = sum(seconds) / len(seconds)
    total = mean * len(processes)
    print(
        f"study run: {our_seconds:.0f} s; loop: {len(processes)} processes of {mean:.1f} s (mean "
        f"of {len(seconds)}) = {total:.0f} s; {total / our_seconds:.1f}x; zero-shot scores "
        f"{'equal' if equal else 'DIFFER'}",
        flush=True,
    )
    return equal


def lm_eval_command(run: Run, model: ModelRef, arm: str, draw: int, output: Path) -> list[str]:
    """The command that evaluates one arm of a model with lm-eval."""
    options = {
        "--model": "hf",
        "--model_args": f"pretrained={model.path}",
        "--include_path": str(TASKS),
        "--tasks": ",".join(task.task for task in study_tasks(run.study)),
        "--num_fewshot": arm.split("-")[1].removesuffix("shot"),
        "--limit": str(run.study.limit),
        "--device": "cpu",
        "--batch_size": "64",
        "--seed": str(draw),
        "--output_path": str(output),
    }
    command = [sys.executable, "-m", "lm_eval", "--log_samples"]
    command += [text for option in options.items() for text in option]
    return [*command, "--apply_chat_template"] if "chat" in arm else command


def same_scores(run: Run, model: str, output: Path) -> bool:
    """Whether lm-eval's scores are those of the run's cells in `COMPARED_ARM`."""
    (file,) = output.rglob("results_*.json")
    results = json.loads(file.read_text())["results"]
    records = [run.cells.record(key) for key in run.cells.done()]
    ours = {
        record["task"]: record["score"]
        for record in records
        if record["model"] == model and record["arm"] == COMPARED_ARM
    }
    return bool(ours) and all(results[task]["acc,none"] == score for task, score in ours.items())


def main() -> int:
    """Run the chosen parts; 0 if all scores are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=[], help="hf, loop; by default both")
    parser.add_argument("--every", type=int, default=5, help="hf: every n-th pair")
    parser.add_argument("--smoke", action="store_true", help="the smallest size, in seconds")
    arguments = parser.parse_args()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    changes = SMALL if arguments.smoke else {}
    equal = True
    for part in arguments.parts or ("hf", "loop"):
        with tempfile.TemporaryDirectory() as folder:
            if part == "hf":
                every = 1 if arguments.smoke else arguments.every
                equal &= compare_hf(Path(folder), changes, every)
            else:
                sampled, workers = (1, 1) if arguments.smoke else (SAMPLED, 2)
                equal &= compare_loop(Path(folder), changes, sampled, workers)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
