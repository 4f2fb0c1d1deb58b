"""A Slurm cluster on this machine: a controller and two nodes, each with one pretended GPU.

Nodes are processes of one host that differ by their ports. Nothing is installed, nothing outlives
`stop`, and only the caller's account on the machine is needed.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
NODES = ("n1", "n2")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=8
KillWait=3
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000 Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000 Gres=gpu:1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """Programs of Slurm and munge that are not installed."""
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    return [program for program in PROGRAMS if shutil.which(program, path=path) is None]


class Cluster:
    """Starts when it is constructed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        (self.folder / "state").mkdir()
        text = CONFIGURATION.format(
            folder=self.folder, host=socket.gethostname().split(".")[0], ports=_free_ports(3),
            user=getpass.getuser(),
        )  # fmt: skip
        self.configuration = self.folder / "slurm.conf"
        self.configuration.write_text(text)
        gpus = "\n".join(f"NodeName={node} Name=gpu File=/dev/null" for node in NODES)
        (self.folder / "gres.conf").write_text(gpus + "\n")
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = [
            f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")
        ]
        self._start("munged", "--force", f"--socket={self.folder}/munge.sock", *files)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.wait_for("sinfo", "-h", "-t", "idle", "-o", "%D", answer="2")

    def start_controller(self) -> None:
        self._start("slurmctld")

    def start_node(self, node: str) -> None:
        self._start("slurmd", "-N", node)

    def kill(self, daemon: str) -> None:
        """Kill a daemon, `slurmctld` or a node, and nothing else."""
        os.kill(int((self.folder / f"{daemon}.pid").read_text()), signal.SIGKILL)

    def crash(self, node: str) -> None:
        """Kill a node as if its power were cut: the daemon, and everything that runs on it."""
        self.kill(node)
        own = _processes_with(f"SLURMD_NODENAME={node}")
        parents = {_parent(pid) for pid in own} - set(own) - {1}
        for pid in [*parents, *own]:  # first those that could report the end of the others
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def call(self, *command: str) -> str:
        result = subprocess.run(command, env=self.environment(), capture_output=True, text=True)
        return result.stdout.strip()

    def wait_for(self, *command: str, answer: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while (output := self.call(*command)) != answer:
            assert time.monotonic() < deadline, f"{command}: {output!r}\n{self.logs()}"
            time.sleep(0.2)

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
        return {**os.environ, "SLURM_CONF": str(self.configuration), "PATH": path}

    def logs(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in logs)

    def stop(self) -> None:
        self.call("scancel", "--user", getpass.getuser(), "--signal=KILL", "--full")
        for pid in _processes_with(f"SLURM_CONF={self.configuration}", f"{self.folder}/munge"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, *command: str) -> None:
        result = subprocess.run(command, env=self.environment(), capture_output=True, text=True)
        assert result.returncode == 0, f"{command}: {result.stderr}"


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _parent(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 1
    return int(status.rpartition(")")[2].split()[1])


def _processes_with(*marks: str) -> list[int]:
    """Other processes that have one of these in their environment or their command line."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            content = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(folder.name) != os.getpid() and any(mark.encode() in content for mark in marks):
            pids.append(int(folder.name))
    return pids
