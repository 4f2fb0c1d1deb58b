"""How often a job is attempted, and with how much memory."""

from __future__ import annotations

import pytest

from study.inference import SharedPrefixLM
from study.models.pairs import ModelRef, zoo
from study.planning.plan import Job
from study.running.executors.retries import EXIT_DEVICE_LOST, Attempt, cause_of_death

JOB = Job(ModelRef("somewhere"), 1.0, ())


def test_the_second_attempt_computes_half_the_tokens_and_there_is_no_third() -> None:
    second = Attempt(JOB).after_death()
    assert second is not None
    assert (second.job, second.number) == (JOB, 2)
    assert second.after_death() is None
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
    ("code", "message"),
    [
        (-9, "worker killed by SIGKILL, which often means out of memory"),
        (-11, "worker killed by SIGSEGV"),
        (1, "worker exited with code 1"),
        (None, "worker exited with code None"),
        (EXIT_DEVICE_LOST, "worker exited: the GPU stopped responding"),
    ],
)
def test_an_exit_code_as_a_message(code: int | None, message: str) -> None:
    assert cause_of_death(code) == message
