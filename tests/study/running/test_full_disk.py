"""A full disk ends the run with a message; with more space the same command resumes."""

from __future__ import annotations

import subprocess

import pytest

from study.results.run import Run
from tests.conftest import MakeRun, tables
from tests.in_process import evaluate_all
from tests.study.commands import call
from tests.study.running.local_runs import LONGER, LONGER_CELLS


@pytest.mark.slow
def test_a_full_disk_ends_the_run_and_a_larger_one_resumes_it(make_run: MakeRun) -> None:
    undisturbed = tables(evaluate_all(make_run("undisturbed", **LONGER)).folder)
    folder = make_run(**LONGER)
    results = folder / "results"
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(results)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        full = call("run", folder)
        assert full.returncode == 1
        assert "No space left on device" in full.stderr
        assert "Free space" in full.stderr
        assert "Traceback" not in full.stderr
        cells = Run.open(folder).cells
        assert 0 < len(cells.done()) < LONGER_CELLS
        assert not list(cells.corrupted())
        larger = ["mount", "-o", "remount,size=64m", str(results)]
        subprocess.run(larger, check=True, capture_output=True)
        assert call("run", folder).returncode == 0
        assert len(cells.done()) == LONGER_CELLS
        assert tables(folder) == undisturbed
        subprocess.run(["mount", "-o", "remount,ro", str(results)], check=True)
        refused = call("run", folder)
        assert refused.returncode == 2
        assert "Read-only file system" in refused.stderr.splitlines()[-1]
        assert "Traceback" not in refused.stderr
    finally:
        subprocess.run(["umount", str(results)], check=True)
