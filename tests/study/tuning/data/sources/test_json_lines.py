"""The source `file`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from study.errors import StudyError
from study.tuning.data.exposure import exposure
from study.tuning.data.mixing import mix_rows
from tests.study.tuning.small_studies import mixture_run, pools_of, the_recipe

TURNS = [
    {"role": "user", "content": "give the last of a b c ="},
    {"role": "assistant", "content": "c"},
]


def test_json_lines_of_both_kinds(tmp_path: Path) -> None:
    lines = [
        {"messages": TURNS * 2},
        {"instruction": "give the first of", "input": "a b c =", "output": "a"},
        {"instruction": "what is this ?", "output": "question"},
    ]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = {"file": "chat.jsonl", "task_type": "strings", "shows": ["zoo_last_mc"]}
    run = mixture_run(tmp_path, {"sources": [source], "rows": 6}, format="samplegen")
    pools = pools_of(run)
    layout = run.study.layout
    rows = list(mix_rows(the_recipe(run).mixture, pools, "samplegen", layout, seed=0))
    assert Counter(len(row.turns) for row in rows) == {4: 2, 2: 4}
    assert exposure(pools, "zoo_last_mc", "strings") == "seen_task"
    assert exposure(pools, "zoo_first_mc", "strings") == "unseen_task"
    assert exposure(pools, "zoo_colour_mc", "knowledge") == "unseen_type"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"messages": ', "line 1: found not JSON"),
        ("[]", "found a list"),
        ('{"instruction": "a"}', "found keys 'instruction'"),
        ('{"instruction": "a", "output": ""}', "found keys 'instruction', 'output'"),
        (json.dumps({"messages": TURNS[:1]}), "does not end with an assistant's message"),
        (json.dumps({"messages": [{"role": "bot"}]}), "found the message"),
        ("", "found no rows"),
    ],
)
def test_lines_that_are_no_conversation(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "chat.jsonl").write_text(line)
    with pytest.raises(StudyError, match=f"chat.jsonl.*{message}"):
        pools_of(mixture_run(tmp_path, {"sources": [{"file": "chat.jsonl"}], "rows": 6}))
