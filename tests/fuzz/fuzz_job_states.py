"""States of jobs: whatever they say, no process is sent a signal that does not run the study."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, ClassVar
from unittest import mock

import yaml

from study.results.files import file_name
from study.results.run import Run
from study.running.executors.local import LocalExecutor
from study.running.job_states import JobState, job_states, record
from tests.conftest import SMALL
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import as_json, changed_bytes, changed_content

FILE = f"results/jobs/{file_name('org/model')}.json"
PARENT = os.getppid()
"A process of this machine, which runs no job; the valid state says that it does."


class JobStates(Fuzzer):
    """`results/jobs/<model>.json`."""

    name: ClassVar[str] = "job states"

    def prepare(self, folder: Path) -> None:
        (folder / "study.yaml").write_text(yaml.safe_dump(SMALL))
        record(folder / "results", "org/model", "running", ("a reason",), "")
        content = json.loads((folder / FILE).read_text())
        born = Path(f"/proc/{PARENT}/stat").read_text().rpartition(")")[2].split()[19]
        content["runner"].update(pid=PARENT, born=int(born))
        self.data = json.dumps(content, indent=1).encode()
        (folder / FILE).write_bytes(self.data)

    def mutant(self, random: Random) -> Mutant:
        if random.random() < 0.3:
            data, change, invalid = changed_bytes(self.data, random)
            return Mutant(change, {FILE: data}, invalid=invalid)
        content, change = changed_content(json.loads(self.data), random)
        return Mutant(change, {FILE: as_json(content)})

    def read(self, folder: Path, mutant: Mutant) -> None:
        run = Run.open(folder)
        with _signals() as sent:
            (state,) = job_states(run.results).values()
            executor = LocalExecutor(run)
            print(executor.state())
            print("\n".join(executor.cancel()))
        said = json.loads((folder / FILE).read_bytes())
        assert _says(state, said), f"{said} was read as {state}"
        assert not sent, f"{sent} for {said}"


def _says(state: JobState, said: dict[str, Any]) -> bool:
    """Whether a state is what the file says, without anything converted."""
    read = state.model_dump(mode="json", exclude_unset=True)
    read["failures"] = said["failures"]  # what does not print is escaped
    read["at"] = type(said["at"])(read["at"])  # an integer is a number of seconds, too
    return repr(_sorted(read)) == repr(_sorted(said))


def _sorted(content: dict[str, Any]) -> Any:
    return sorted((key, _sorted(v) if isinstance(v, dict) else v) for key, v in content.items())


@contextmanager
def _signals() -> Iterator[list[object]]:
    """The signals that would be sent within the context; none is."""
    sent: list[object] = []

    def send(target: object, number: int, *_: object) -> None:
        if number:
            sent.append((target, number))

    with (
        mock.patch.object(os, "kill", send),
        mock.patch.object(os, "killpg", send),
        mock.patch.object(signal, "pidfd_send_signal", send),
    ):
        yield sent
