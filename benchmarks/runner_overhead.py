"""The demo study against the shell loop that people write today, and what a run costs besides.

    python -P benchmarks/study.py                # everything, about twenty minutes
    python -P benchmarks/study.py loop workers   # only these parts: loop, workers, small, large

loop     the demo by `study run`, against one `lm_eval` process per model, arm and draw; some of the
         loop's processes are run, and the rest taken to need as long on average. Scores of the arm
         that both ask alike (zero-shot, without template) are compared
workers  the demo with two CPU workers against one; cells compared
small    what the runner adds to a cell beyond rendering, computing and scoring; `study --help`
large    planning 30,000 cells; loading as many finished and packed ones

Exits with 1 if answers differ.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from study.config.study import read_study
from study.results.cell_store.maintenance import compact
from study.results.cell_store.store import Cells
from study.results.ledger import VERSION
from study.zoo import TASKS

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SAMPLED = 5
"Processes of the loop that are run."
MANY = 30_000


def demo(folder: Path, **changes: Any) -> Path:
    """A copy of the demo without results."""
    folder.mkdir(parents=True)
    content = yaml.safe_load((ROOT / "runs/demo/study.yaml").read_text())
    (folder / "study.yaml").write_text(yaml.safe_dump({**content, **changes}))
    return folder


def timed(command: list[str], **more: Any) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=dict(os.environ), **more)
    return time.perf_counter() - start


def run_study(run: Path, workers: int) -> float:
    return timed([str(BIN / "study"), "run", str(run), *["--device", "cpu"] * workers])


def loop(folder: Path) -> bool:
    """The demo by both; whether the scores that both have are equal."""
    run = demo(folder / "demo")
    study = read_study(run)
    ours = run_study(run, 2)
    from study.models.pairs import study_pairs

    pairs = study_pairs(study, run)
    asked = [
        (pair.member(arm.split("-")[0]), arm, draw)
        for pair in pairs
        for arm in study.arm_names()
        for draw in range(study.draws_of(arm))
    ]
    chosen = random.Random(0).sample(asked, SAMPLED - 1)
    chosen.append((pairs[-1].base, "base-0shot", 0))
    seconds, same = [], True
    for number, (model, arm, draw) in enumerate(chosen):
        out = folder / f"lm_eval{number}"
        shots = arm.split("-")[1].removesuffix("shot")
        command = [
            sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args",
            f"pretrained={model.path}", "--include_path", str(TASKS), "--tasks",
            ",".join(_tasks(run)), "--num_fewshot", shots, "--limit", str(study.limit), "--device",
            "cpu", "--batch_size", "64", "--seed", str(draw), "--log_samples", "--output_path",
            str(out),
        ]  # fmt: skip
        if "chat" in arm:
            command += ["--apply_chat_template"]
        seconds.append(timed(command))
        print(f"  lm_eval {model.name} {arm}: {seconds[-1]:.1f} s", flush=True)
        if arm == "base-0shot":
            same &= _equal(run, model.name, out)
    theirs = sum(seconds) / len(seconds) * len(asked)
    print(
        f"study run: {ours:.0f} s; the loop: {len(asked)} processes at {theirs / len(asked):.1f} s "
        f"on average of {len(seconds)} = {theirs:.0f} s; {theirs / ours:.1f}x; "
        f"zero-shot scores {'equal' if same else 'DIFFER'}",
        flush=True,
    )
    return same


def _tasks(run: Path) -> list[str]:
    from study.tasks.suites import study_tasks

    return [task.task for task in study_tasks(read_study(run), run)]


def _equal(run: Path, model: str, out: Path) -> bool:
    (file,) = out.rglob("results_*.json")
    theirs = json.loads(file.read_text())["results"]
    cells = Cells(run)
    records = [cells.record(key) for key in cells.done()]
    ours = {r["task"]: r["score"] for r in records
            if r["model"] == model and r["arm"] == "base-0shot"}  # fmt: skip
    return bool(ours) and all(theirs[task]["acc,none"] == score for task, score in ours.items())


def workers(folder: Path) -> bool:
    """One worker and two; whether their cells are equal."""
    one, two = demo(folder / "one"), demo(folder / "two")
    seconds = [run_study(one, 1), run_study(two, 2)]
    scores = []
    for run in (one, two):
        cells = Cells(run)
        scores.append({key: cells.record(key)["score"] for key in cells.done()})
    same = scores[0] == scores[1]
    print(
        f"one CPU worker with all cores: {seconds[0]:.0f} s, two: {seconds[1]:.0f} s; "
        f"{seconds[0] / seconds[1]:.2f}x; {len(scores[0])} scores {'equal' if same else 'DIFFER'}",
        flush=True,
    )
    return same


def small(folder: Path) -> bool:
    """What a cell takes beyond rendering, asking and scoring."""
    from study import running
    from study.planning.plan_study import planned

    run = demo(folder / "small", pairs=[{"source": "zoo", "pair": ["llama-early-xs"]}])
    spent = [0.0]

    def measured(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[0] += time.perf_counter() - start

        return call

    for name in ("render", "answer", "task_items"):
        setattr(running, name, measured(getattr(running, name)))
    state = planned(run)
    runner = running.Runner(state.resolved.study, run, "cpu")
    whole, cells = 0.0, 0
    for job in state.plan.jobs:
        events = runner.job(job)
        for event in events:
            if event.kind == "loaded":
                break
        start = time.perf_counter()
        cells += sum(event.kind == "cell" for event in events)
        whole += time.perf_counter() - start
    print(
        f"{cells} cells: {whole / cells * 1e3:.1f} ms each, {(whole - spent[0]) / cells * 1e3:.1f} "
        "ms of it neither rendering, asking nor scoring",
        flush=True,
    )
    times = sorted(timed([str(BIN / "study"), "--help"]) for _ in range(5))
    print(f"study --help: {times[2]:.2f} s (middle of 5)", flush=True)
    return cells > 0


def large(folder: Path) -> bool:
    """Planning, and loading what is done, of 30,000 cells."""
    from analysis.data.scores import load_scores
    from study.planning.cost.estimate import estimate
    from study.planning.plan import make_plan
    from study.planning.plan_study import planned

    arms = ["base-0shot", "base-3shot", "base-5shot", "tuned-0shot-chat", "tuned-5shot-chat"]
    run = demo(folder / "large", arms=arms, draws=22)
    start = time.perf_counter()
    state = planned(run)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    plan = make_plan(state.resolved)
    alone = time.perf_counter() - start
    start = time.perf_counter()
    estimate(state.resolved, plan, frozenset())
    costs = time.perf_counter() - start
    print(f"{len(plan.rows)} cells planned in {alone:.1f} s, {whole:.1f} s with lm-eval's task "
          f"list and the models' digests; their cost in {costs:.1f} s", flush=True)  # fmt: skip
    run = demo(folder / "finished")
    record = {"score": 0.5, "stderr": 0.01, "n_items": 20, "identity": {"arm": {"shots": 5}},
              "provenance": {"versions": {f"package-{i}": "1.2.3" for i in range(30)}}}  # fmt: skip
    items = [
        {"item": i, "gold": "1", "score": float(i % 2), "logprobs": [-1.0, -2.0], "lengths": [3, 4],
         "text": None, "prompt_hash": f"{i:064x}", "shots": 5, "truncated": False}
        for i in range(20)
    ]  # fmt: skip
    cells, rows = Cells(run), []
    for i in range(MANY):
        key = f"{i:064x}"
        cells.write(key, record, items)
        rows.append({"pair": f"p{i % 100}", "family": f"f{i % 20}", "params_b": 1.0, "model": "m",
                     "role": "base", "arm": "base-5shot", "task": f"t{i // 100}",
                     "task_type": "t",
                     "exposure": "", "draw": 0, "chance": 0.0, "metric": "acc",
                     "key": key})  # fmt: skip
    ledger = {"version": VERSION, "study": read_study(run).digest(), "rows": rows, "passages": {}}
    (run / "results" / "plan.json").write_text(json.dumps(ledger))
    start = time.perf_counter()
    loose = load_scores(run)
    of_loose = time.perf_counter() - start
    compact(run)
    start = time.perf_counter()
    packed = load_scores(run)
    of_packed = time.perf_counter() - start
    same = loose.equals(packed)
    print(f"{len(packed)} finished cells loaded: {of_loose:.1f} s from files of their own, "
          f"{of_packed:.1f} s packed; {'equal' if same else 'DIFFER'}", flush=True)  # fmt: skip
    return same


def main() -> int:
    """The parts asked for, or all."""
    parts = {"loop": loop, "workers": workers, "small": small, "large": large}
    fine = True
    for name in sys.argv[1:] or list(parts):
        with tempfile.TemporaryDirectory() as folder:
            fine &= parts[name](Path(folder))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
