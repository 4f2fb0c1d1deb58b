"""A worker that is killed while it generates a cell: what was committed is not generated again."""

from __future__ import annotations

import itertools
import random
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from study.planning.plan_study import PlannedStudy
from study.results.cell_store.partial_responses import PartialResponses, PartialResponseStore
from study.results.run import Run
from study.running.cells.forward_monitor import ForwardPassMonitor
from study.running.cells.partial_commits import COMMIT_SECONDS, PartialCommits
from study.running.cells.prompts import AuditError
from study.running.cells.run_model import ModelRunner
from tests.conftest import ROOT, command_environment, write_study
from tests.in_process import plan

GENERATED: dict[str, Any] = {
    "pairs": [{"source": "zoo", "pair": ["llama-late-xs"]}],
    "arms": ["base-0shot", "tuned-0shot-chat"],
    "tasks": {"suite": "zoo_gen", "only": ["zoo_reverse_gen"]},
    "contrasts": [{"name": "zero-shot", "x": "base-0shot", "y": "tuned-0shot-chat"}],
    "draws": 1,
    "limit": 24,
}
SMALL_BATCHES = 5e-5
"Share of the usual budget of tokens: batches of three prompts."

KILLED_WORKER = """
import itertools, os, signal, sys
from study.running.cells.run_model import ModelRunner
from tests.in_process import plan

planned, passes = plan(sys.argv[1]), itertools.count(1)

def kill_itself():
    if next(passes) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

clock = itertools.count(step=60).__next__
runner = ModelRunner(planned.resolved.run, "cpu", on_pass=kill_itself, clock=clock)
print(list(runner.run_job(planned.plan.jobs[0], memory_share=float(sys.argv[3]))))
"""


class KilledWorker(BaseException):
    """A kill, after which nothing is done."""


@dataclass
class Session:
    """A worker in the process of the tests, killed at a forward pass unless it ends before."""

    planned: PlannedStudy
    last_pass: float = float("inf")
    seconds: float = COMMIT_SECONDS
    "Time that a step takes, by the worker's clock."
    passes: int = 0

    def run(self) -> None:
        """Run what remains of the study."""
        clock = itertools.count(step=self.seconds).__next__
        run = self.planned.resolved.run
        runner = ModelRunner(run, "cpu", on_pass=self._count, clock=clock)
        for job in self.planned.plan.jobs:
            events = list(runner.run_job(job, memory_share=SMALL_BATCHES))
            assert not [event for event in events if event.kind == "failed"]

    def _count(self) -> None:
        self.passes += 1
        if self.passes == self.last_pass:
            raise KilledWorker


def responses_of(run: Run) -> dict[str, Any]:
    """The stored responses of every cell."""
    return {key: run.responses.items(key).to_pylist() for key in sorted(run.responses.done())}


def resumed(run: Run) -> list[Any]:
    """What the records say about resuming, without cells that did not."""
    records = [run.responses.record(key)["resumed"] for key in sorted(run.responses.done())]
    return [record for record in records if record]


def partial_files(run: Run) -> list[Path]:
    return sorted((run.results / "responses" / "partial").glob("*"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The study, finished in one session."""
    session = Session(
        plan(write_study(tmp_path_factory.mktemp("undisturbed") / "run", **GENERATED))
    )
    session.run()
    return session


@pytest.fixture
def planned(undisturbed: Session, tmp_path: Path) -> PlannedStudy:
    """The same study in another folder, of which nothing is computed."""
    source = undisturbed.planned.resolved.run.folder
    shutil.copytree(source, tmp_path / "run", ignore=shutil.ignore_patterns("results"))
    return plan(tmp_path / "run")


def test_killed_at_random_forward_passes(planned: PlannedStudy, undisturbed: Session) -> None:
    rng, run, kills = random.Random(0), planned.resolved.run, 0
    while True:
        try:
            # A commit at every third step.
            Session(planned, rng.randrange(5, 15), COMMIT_SECONDS / 3).run()
            break
        except KilledWorker:
            kills += 1
    assert kills > 2
    assert len(resumed(run)) == 2
    expected = undisturbed.planned.resolved.run
    assert responses_of(run) == responses_of(expected)
    assert resumed(expected) == []
    assert run.cells.done() == expected.cells.done()
    assert partial_files(run) == partial_files(expected) == []
    # Their times would make the model look faster than it is.
    assert not list((run.results / "throughput").glob("*"))
    assert list((expected.results / "throughput").glob("*"))


def test_finished_responses_are_not_generated_again(
    planned: PlannedStudy, undisturbed: Session
) -> None:
    run = planned.resolved.run
    late = undisturbed.passes - 2
    with pytest.raises(KilledWorker):
        Session(planned, late).run()
    assert len(partial_files(run)) == 1
    session = Session(planned)
    session.run()
    # The last batch alone: its prompts, and the tokens that it had not generated.
    assert 0 < session.passes <= 4 < late
    assert responses_of(run) == responses_of(undisturbed.planned.resolved.run)
    (record,) = resumed(run)
    assert record["requests"] == 24
    assert record["provenance"][0]["hardware"]


def test_a_corrupted_file_is_moved_aside_and_its_cell_computed(
    planned: PlannedStudy, undisturbed: Session
) -> None:
    run = planned.resolved.run
    with pytest.raises(KilledWorker):
        Session(planned, 10).run()
    (path,) = partial_files(run)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    Session(planned).run()
    assert responses_of(run) == responses_of(undisturbed.planned.resolved.run)
    assert resumed(run) == []
    assert partial_files(run) == []


def test_sigkill_in_the_middle_of_a_cell(
    planned: PlannedStudy, undisturbed: Session, tmp_path: Path
) -> None:
    run = planned.resolved.run
    worker = subprocess.run(
        [sys.executable, "-c", KILLED_WORKER, str(run.folder), "10", str(SMALL_BATCHES)],
        env=command_environment(tmp_path / "attempts"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr
    assert partial_files(run)
    session = Session(planned)
    session.run()
    assert session.passes < undisturbed.passes
    assert len(resumed(run)) == 1
    assert responses_of(run) == responses_of(undisturbed.planned.resolved.run)
    assert partial_files(run) == []


def test_what_another_worker_left_of_a_finished_cell_is_deleted(undisturbed: Session) -> None:
    run = undisturbed.planned.resolved.run
    (key, other) = sorted(run.responses.done())[0], "0" * 64
    store = PartialResponseStore(run.results)
    store.write(key, PartialResponses({"a": [1]}))
    store.write(other, PartialResponses({"a": [1]}))
    ModelRunner(run, "cpu")
    assert [path.name for path in partial_files(run)] == [f"{other}.partial"]
    store.remove(other)


class Monitor(ForwardPassMonitor):
    """One that has seen a given number."""

    def __init__(self, nan: bool) -> None:
        super().__init__(lambda: None)
        self._nan = nan


def test_commits_are_due_by_the_clock_and_never_of_nan(tmp_path: Path) -> None:
    store, times = PartialResponseStore(tmp_path), iter([0.0, 1.0, COMMIT_SECONDS, 100.0, 101.0])
    commits = PartialCommits(store, "key", {}, Monitor(False), lambda: next(times))
    commits._partial.tokens["a"] = [1]
    commits._on_step()
    assert store.read("key").tokens == {}
    commits._on_step()
    assert store.read("key").tokens == {"a": [1]}
    commits._partial.tokens["a"].append(2)
    commits._on_step()  # the time of the commit itself does not count
    assert store.read("key").tokens == {"a": [1]}
    failed = PartialCommits(store, "key", {}, Monitor(True), itertools.count(step=60).__next__)
    with pytest.raises(AuditError, match="NaN"):
        failed._on_step()
