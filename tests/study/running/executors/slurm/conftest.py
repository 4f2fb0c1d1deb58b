"""Commands on a machine of the Slurm cluster that the tests start."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.conftest import command_environment
from tests.study.commands import call

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def on_cluster(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Calls `study …` on the cluster's machine; fails if anything, on any node, tried the
    network."""
    attempts = tmp_path / "network-attempts"
    environment = {**cluster.environment(), **command_environment(attempts)}
    environment["PATH"] += ":/usr/sbin:/sbin"
    for name in ("SLURM_CONF", "PATH", "PYTHONPATH", "NETWORK_ATTEMPTS"):
        monkeypatch.setenv(name, environment[name])
    yield call
    assert not attempts.exists(), attempts.read_text()
