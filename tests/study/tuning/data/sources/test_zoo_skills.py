"""The source `zoo`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from study.errors import StudyError
from study.tuning.data.sources import TaskExample
from tests.study.tuning.small_studies import mixture_run, pools_of


def test_one_unlimited_pool_for_each_skill(tmp_path: Path) -> None:
    source = {"zoo": ["reverse", "home"], "context": 2}
    reverse, home = pools_of(mixture_run(tmp_path, {"sources": [source], "rows": 4}))
    assert (reverse.name, reverse.task_type, reverse.size) == ("reverse", "strings", None)
    assert home.shows == {"zoo_home_mc", "zoo_home_gen"}
    assert reverse.digest != home.digest
    for example in reverse.draw(5, random.Random(0)):
        assert isinstance(example, TaskExample)
        assert example.prefix.count("=") == 2
        assert example.answer.split() == example.fields[0][1].split()[::-1]


def test_unknown_skill(tmp_path: Path) -> None:
    run = mixture_run(tmp_path, {"sources": [{"zoo": ["revers"]}], "rows": 4})
    with pytest.raises(StudyError, match=r"tuning.mixtures.m.sources\[0\].zoo: found 'revers'"):
        pools_of(run)
