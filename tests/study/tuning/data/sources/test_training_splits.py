"""The sources `task` and `suite`."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import StudyError
from study.tuning.data.mixing import mix_rows
from tests.study.tuning.small_studies import mixture_run, pools_of, the_recipe


def test_a_tasks_own_training_split(tmp_path: Path) -> None:
    source = {
        "task": "zoo_reverse_mc",
        "task_type": "strings",
        "wordings": ["turn {{asked}} around", "what is {{asked}} backwards ?"],
        "fields": {"question": "{{asked}}"},
    }
    run = mixture_run(tmp_path, {"sources": [source], "rows": 96})
    (pool,) = pools_of(run)
    assert pool.size == 48
    rows = list(mix_rows(the_recipe(run).mixture, [pool], "flan", run.study.layout, seed=0))
    assert len(set(rows)) > 48
    first_words = {row.turns[0].content.split()[0] for row in rows}
    assert first_words == {"turn", "what"}
    for row in rows:
        asked = row.turns[0].content.split()[1:4] if row.turns[0].content[0] == "t" else None
        if asked:
            assert row.turns[1].content.split() == asked[::-1]


def test_a_suite_is_one_pool_for_each_task(tmp_path: Path) -> None:
    only = ["zoo_reverse_mc", "zoo_home_mc"]
    run = mixture_run(tmp_path, {"sources": [{"suite": "zoo_mc", "only": only}], "rows": 4})
    reverse, home = sorted(pools_of(run), key=lambda pool: only.index(pool.name))
    assert (reverse.task_type, home.task_type) == ("strings", "knowledge")
    assert reverse.shows == {"zoo_reverse_mc"}
    other = mixture_run(
        tmp_path / "other", {"sources": [{"suite": "zoo_mc", "only": ["zoo_revers_mc"]}], "rows": 4}
    )
    with pytest.raises(StudyError, match=r"sources\[0\].only: found 'zoo_revers_mc'"):
        pools_of(other)
