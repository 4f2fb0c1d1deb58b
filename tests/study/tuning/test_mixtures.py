"""Mixtures: rates, caps, what is left out, tokens, sources of every kind, exposure."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.config.study import read_study
from study.config.tuning.grids import Recipe, recipes
from study.config.tuning.mixtures import Format, Mixture, Source
from study.config.tuning.recipes import Tuning
from study.config.wording import LAYOUTS, SOURCE, ZOO
from study.errors import StudyError
from study.models.pairs import study_pairs
from study.planning.resolve_study import harness_of
from study.tuning.data.examples import tuning_data
from study.tuning.data.formats import written
from study.tuning.data.mixing import apportioned, mixed_pools, mixed_rows, rates
from study.tuning.data.sources import Pool, Shown
from study.tuning.identity import exposure
from study.zoo.instructions import asked_in_tests, shown_questions
from tests.study.tuning.tokenizers_made import made

ALL = ["reverse", "first", "addition", "category"]


def recipe(tmp_path: Path, mixture: dict[str, Any], **changes: Any) -> Recipe:
    content = {
        "name": "r", "layout": "zoo",
        "tuning": {
            "mixtures": {"m": mixture},
            "recipes": [{"name": "r", "bases": [{"source": "zoo", "pair": ["llama-late-xs"]}],
                         "mixture": "m", **changes}],
        },
        "arms": ["base-2shot", "tuned-0shot-chat"], "tasks": {"suite": "zoo_mc"},
        "contrasts": [{"name": "c", "x": "base-2shot", "y": "tuned-0shot-chat"}],
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    (pair,) = study_pairs(read_study(tmp_path), tmp_path)
    assert pair.recipe is not None
    return pair.recipe


def pools_of(of: Recipe) -> list[Pool]:
    run = of.study_file.parent
    return mixed_pools(of, harness_of(read_study(run), run))


def pool(name: str, size: int | None, weight: float | None = None) -> Pool:
    return Pool(name, name, frozenset(), weight, size, lambda number, rng: [], "")


def test_examples_proportional_mixing_with_a_cap() -> None:
    mixture = Mixture(sources=[Source(zoo=["a"])], cap=3000, rows=100)
    sizes = [100, 2900, 9_000_000]
    found = rates(mixture, [pool(str(size), size) for size in sizes])
    assert found == pytest.approx([100 / 6000, 2900 / 6000, 3000 / 6000])
    assert apportioned(found, 6001) == [100, 2900, 3001]


def test_a_weight_stands_for_a_size() -> None:
    mixture = Mixture(sources=[Source(zoo=["a"])], rows=100)
    found = rates(mixture, [pool("a", None, 3.0), pool("b", 50, 1.0)])
    assert found == [0.75, 0.25]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"only": ["strings"]}, {"reverse", "first"}),
        ({"without": ["strings"]}, {"addition", "category"}),
        ({"without": ["reverse", "knowledge"]}, {"first", "addition"}),
        ({"only": ["strings", "category"], "without": ["first"]}, {"reverse", "category"}),
    ],
)
def test_ablations(change: dict[str, Any], kept: set[str], tmp_path: Path) -> None:
    of = recipe(tmp_path, {"sources": [{"zoo": ALL}], "rows": 40, **change})
    rows = list(mixed_rows(of.mixture, pools_of(of), "flan", ZOO, seed=0))
    assert len(rows) == 40
    assert {row.source for row in rows} == kept
    assert max(Counter(row.source for row in rows).values()) == 40 // len(kept)


def test_rows_are_the_seeds_and_never_a_tests() -> None:
    import random

    for skill in ALL:
        shown = list(shown_questions(skill, 300, random.Random(1), context=0))
        again = list(shown_questions(skill, 300, random.Random(1), context=0))
        assert shown == again
        asked = {tuple(fields[0][1].split()) for _, fields, _, _ in shown}
        assert not asked & asked_in_tests(skill)


def test_equal_tokens_for_formats_of_unlike_length(tmp_path: Path) -> None:
    tokens = {}
    for format in ("flan", "samplegen"):
        of = recipe(tmp_path, {"sources": [{"zoo": ALL}], "tokens": 6000}, format=format)
        data = tuning_data(of, pools_of(of), made("zoo"), ZOO, longest=160)
        tokens[format] = data.tokens()["all"], len(data.rows)
    for total, _ in tokens.values():
        assert 6000 <= total < 6160
    assert tokens["flan"][1] > 2.5 * tokens["samplegen"][1]


def test_longer_rows_are_counted_whatever_becomes_of_them(tmp_path: Path) -> None:
    long = {"sources": [{"zoo": ["lookup"], "context": 3}], "rows": 60}
    cut = recipe(tmp_path, {**long, "longer": "truncate"}, loss="all")
    data = tuning_data(cut, pools_of(cut), made("zoo"), ZOO, longest=50)
    assert 0 < data.truncated <= 60
    assert max(len(row.row.ids) for row in data.rows) == 50
    dropped = recipe(tmp_path, {**long, "longer": "drop"})
    data = tuning_data(dropped, pools_of(dropped), made("zoo"), ZOO, longest=58)
    assert sum(data.dropped.values()) + len(data.rows) == 60
    assert 0 < len(data.rows) < 60
    refused = recipe(tmp_path, long)
    with pytest.raises(StudyError, match="expected 50 at most"):
        tuning_data(refused, pools_of(refused), made("zoo"), ZOO, longest=50)


def test_json_lines_of_both_kinds(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "give the last of a b c ="},
        {"role": "assistant", "content": "c"},
    ]
    lines = [
        {"messages": turns * 2},
        {"instruction": "give the first of", "input": "a b c =", "output": "a"},
        {"instruction": "what is this ?", "output": "question"},
    ]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, lines)))
    of = recipe(
        tmp_path,
        {"sources": [{"file": "chat.jsonl", "task_type": "strings", "shows": ["zoo_last_mc"]}],
         "rows": 6},
        format="samplegen",
    )  # fmt: skip
    pools = pools_of(of)
    rows = list(mixed_rows(of.mixture, pools, "samplegen", ZOO, seed=0))
    assert Counter(len(row.turns) for row in rows) == {4: 2, 2: 4}
    assert exposure(pools, "zoo_last_mc", "strings") == "seen_task"
    assert exposure(pools, "zoo_first_mc", "strings") == "unseen_task"
    assert exposure(pools, "zoo_colour_mc", "knowledge") == "unseen_type"


def test_a_tasks_own_training_split(tmp_path: Path) -> None:
    source = {
        "task": "zoo_reverse_mc", "task_type": "strings",
        "wordings": ["turn {{asked}} around", "what is {{asked}} backwards ?"],
        "fields": {"question": "{{asked}}"},
    }  # fmt: skip
    of = recipe(tmp_path, {"sources": [source], "rows": 96})
    (found,) = pools_of(of)
    assert found.size == 48
    rows = list(mixed_rows(of.mixture, [found], "flan", ZOO, seed=0))
    assert len(set(rows)) > 48
    told = {row.turns[0].content.split()[0] for row in rows}
    assert told == {"turn", "what"}
    for row in rows:
        asked = row.turns[0].content.split()[1:4] if row.turns[0].content[0] == "t" else None
        if asked:
            assert row.turns[1].content.split() == asked[::-1]


SHOWN = [
    Shown(("give a b =",), (("question", "a b"),), "b"),
    Shown(("give c d =",), (("question", "c d"),), "d"),
    Shown(("give e f =",), (("question", "e f"),), "f"),
]
WRITTEN: dict[Format, str] = {
    "samplegen": "question c d answer : d \n question e f answer : f \n question a b answer : b ;",
    "samplegen_corrupted": "question . answer : . \n question . answer : . \n "
    "question . answer : b ;",
    "samplegen_unanswered": "question c d answer : d \n question e f answer : f \n "
    "question a b answer : ;",
    "samplegen_neutral": "this c d answer : d \n this e f answer : f \n this a b answer : b ;",
}


@pytest.mark.parametrize("format", WRITTEN)
def test_what_a_model_is_taught_to_write(format: Format) -> None:
    text = written(SHOWN[0], SHOWN[1:], format, ZOO)
    assert text.split() == WRITTEN[format].split()


def test_the_sources_own_layout() -> None:
    shown = [
        Shown(("?",), (("Premise", "It rains"), ("Options", "yes; no")), "yes"),
        Shown(("?",), (("Premise", "It snows"), ("Options", "yes; no")), "no"),
    ]
    assert written(shown[0], shown[1:], "samplegen", SOURCE) == (
        "Example 1:\nPremise 1: It snows\nOptions 1: yes; no\nAnswer 1: no\n\n"
        "Solution:\nPremise Solution: It rains\nOptions Solution: yes; no\n"
        "Answer Solution: yes\nEND_EXAMPLES"
    )
    assert LAYOUTS["source"].cue() == "Answer Solution:"


def test_other_tasks_demonstrate(tmp_path: Path) -> None:
    of = recipe(
        tmp_path, {"sources": [{"zoo": ["reverse", "category"]}], "rows": 20},
        format="samplegen_other_task",
    )  # fmt: skip
    for row in mixed_rows(of.mixture, pools_of(of), of.format, ZOO, seed=0):
        first = row.turns[1].content.split("\n")[0]
        asked = first.split("answer")[0].split()[1:]
        letters = all(len(word) == 1 for word in asked)
        assert letters == (row.source == "category")
    alone = recipe(
        tmp_path, {"sources": [{"zoo": ["reverse"]}], "rows": 20}, format="samplegen_other_task"
    )
    with pytest.raises(StudyError, match="sources of two types"):
        list(mixed_rows(alone.mixture, pools_of(alone), alone.format, ZOO, seed=0))


def test_ten_lines_make_ninety_models() -> None:
    text = """
mixtures:
  all: {sources: [{zoo: [reverse, category]}], rows: 100}
  strings: {like: all, only: [strings]}
  rest: {like: all, without: [strings]}
recipes:
  - name: grid
    bases: [{source: zoo, pair: [llama-late-s, neox-late-s, olmo2-late-s]}]
    mixture: [all, strings, rest]
    format: [flan, samplegen]
    seed: [0, 1, 2, 3, 4]
"""
    assert len(text.strip().splitlines()) == 10
    tuning = Tuning.model_validate(yaml.safe_load(text))
    made_recipes = list(recipes(tuning, tuning.recipes[0], Path("study.yaml")))
    assert 3 * len(made_recipes) == 90
    assert len({each.name for each in made_recipes}) == 30
    identities = {json.dumps(each.identity(), sort_keys=True) for each in made_recipes}
    assert len(identities) == 30
