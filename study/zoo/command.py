"""`study zoo build`: trains what is missing, writes tasks and suites, says how long it took."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from study.errors import StudyError, listed, nearest
from study.zoo import MODELS
from study.zoo.build import build, is_built
from study.zoo.members import MEMBERS
from study.zoo.tasks import write_suites, write_tasks


def build_zoo(names: list[str] | None, processes: int, say: Callable[[str], object]) -> None:
    """Builds the named members, or all; StudyError for a name that is none."""
    for name in names or ():
        if name not in MEMBERS:
            raise StudyError("study zoo build", found=repr(name),
                             expected=f"one of {listed(MEMBERS, most=30)}",
                             do=nearest(name, MEMBERS))  # fmt: skip
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    started = time.monotonic()
    write_tasks()
    write_suites()
    wanted = names or list(MEMBERS)
    missing = [name for name in wanted if not is_built(MEMBERS[name])]
    say(f"{len(wanted) - len(missing)} members stand, {len(missing)} to build in {MODELS}")
    for done, record in enumerate(build(wanted, processes=processes), start=1):
        seconds = record["pretraining_seconds"] + record["tuning_seconds"]
        say(
            f"{done}/{len(missing)} {record['member']}: {record['parameters']} parameters, "
            f"{seconds:.0f} s, loss {record['last_loss']:.3f}, "
            f"tuned {record['last_tuning_loss']:.3f}"
        )
    say(f"built in {time.monotonic() - started:.0f} s")
