"""Resources by model size, and the time limit of jobs."""

from __future__ import annotations

from study.config.executors import MAX_NOTICE_SECONDS, Resources, SlurmResources, resources_for


def test_a_model_gets_the_smallest_entry_that_holds_it() -> None:
    entries = [Resources(), Resources(up_to_params_b=8), Resources(up_to_params_b=70)]
    assert [resources_for(entries, size) for size in (1, 8, 8.1, 71)] == [1, 1, 2, 0]
    assert resources_for(entries[1:], 71) is None
    assert resources_for([], 1) is None


def test_a_short_job_is_notified_later() -> None:
    assert SlurmResources(hours=2, memory_gb=1).minutes == 120
    assert SlurmResources(hours=0.001, memory_gb=1).minutes == 1
    assert SlurmResources(hours=2, memory_gb=1).notice_seconds == MAX_NOTICE_SECONDS
    assert SlurmResources(hours=1 / 60, memory_gb=1).notice_seconds == 15


def test_the_notice_is_a_quarter_of_a_short_limit() -> None:
    """15 seconds of each minute, up to 90 seconds."""
    assert MAX_NOTICE_SECONDS == 90
    notices = [SlurmResources(hours=m / 60, memory_gb=1).notice_seconds for m in (2, 5, 6, 7)]
    assert notices == [30, 75, 90, 90]


def test_of_equal_entries_the_first_is_used() -> None:
    entries = [Resources(up_to_params_b=8), Resources(up_to_params_b=8)]
    assert resources_for(entries, 3) == 0
