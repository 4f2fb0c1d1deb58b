"""How often a job is attempted, and with how much memory."""

from __future__ import annotations

import signal

import pytest

from study.inference import SharedPrefixLM
from study.models.pairs import ModelRef, zoo
from study.planning.plan import Job
from study.running.executors.retries import (
    EXIT_DEVICE_LOST,
    EXIT_TERMINATED,
    Attempt,
    Death,
)

OUT_OF_MEMORY = Death(-signal.SIGKILL)
JOB = Job(ModelRef("somewhere"), 1.0, ())


def test_the_second_attempt_computes_half_the_tokens_and_there_is_no_third() -> None:
    second = Attempt(JOB).after_death(OUT_OF_MEMORY)
    assert second is not None
    assert (second.job, second.number) == (JOB, 2)
    assert second.after_death(OUT_OF_MEMORY) is None
    whole, half = (
        SharedPrefixLM(pretrained=zoo()[0].base.path, device="cpu", memory_share=share)
        for share in (1.0, second.memory_share)
    )
    assert whole.probe is not None
    assert half.probe is not None
    assert whole.probe.engine is not None
    assert half.probe.engine is not None
    assert half.probe.engine.budget == whole.probe.engine.budget.halved()


@pytest.mark.parametrize(
    "death",
    [
        Death(-signal.SIGSEGV),
        Death(-signal.SIGABRT),
        Death(-signal.SIGTERM),
        Death(EXIT_TERMINATED),
        Death(EXIT_DEVICE_LOST),
        Death(-signal.SIGKILL, silent_seconds=60.0),
        Death(EXIT_TERMINATED, silent_seconds=60.0),
    ],
    ids=str,
)
def test_what_may_be_the_fault_of_the_machine_is_retried_once_unchanged(death: Death) -> None:
    second = Attempt(JOB).after_death(death)
    assert second == Attempt(JOB, number=2, memory_share=1.0)
    assert second is not None
    assert second.after_death(death) is None
    assert second.after_death(OUT_OF_MEMORY) is None


@pytest.mark.parametrize("code", [0, 1, 2, 127, None])
def test_what_would_happen_again_is_not_retried(code: int | None) -> None:
    assert Attempt(JOB).after_death(Death(code)) is None


@pytest.mark.parametrize(
    ("death", "message"),
    [
        (Death(-9), "worker killed by SIGKILL, which often means out of memory"),
        (Death(-11), "worker killed by SIGSEGV"),
        (Death(-40), "worker killed by signal 40"),
        (Death(1), "worker exited with code 1"),
        (Death(None), "worker exited with code None"),
        (Death(EXIT_DEVICE_LOST), "worker exited: the GPU stopped responding"),
        (Death(EXIT_TERMINATED), "worker terminated by SIGTERM"),
        (Death(-9, silent_seconds=61.4), "worker silent for 61 s and killed"),
    ],
)
def test_a_death_as_a_message(death: Death, message: str) -> None:
    assert str(death) == message
