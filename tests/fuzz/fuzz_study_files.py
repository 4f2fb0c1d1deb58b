"""Mutants of study.yaml: two study files with every section, changed as content and as bytes."""

from __future__ import annotations

import copy
import datetime
import math
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from study.config.study import Study, read_study
from study.config.tasks import ListedTask
from study.config.wording import LAYOUTS
from study.models.pairs import study_pairs
from study.scorers import study_scorer
from study.tasks.prompt_forms import check_arms
from study.tasks.prompt_forms.templates import render_template
from study.tasks.suites import study_tasks
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import (
    Place,
    alias_bomb,
    as_yaml,
    changed_bytes,
    changed_content,
    yaml_content,
)
from tests.hostile_templates import hostile_template

LISTED: dict[str, Any] = {
    "name": "mutants",
    "pairs": [
        {"source": "zoo", "pair": ["llama-early-xs"], "min_params_b": 0, "max_params_b": 1.5},
        {"base": "org/a", "tuned": "org/a-it", "family": "a", "params_b": 7, "name": "org/A 7B"},
        {"base": "models/b", "tuned": "org/b-it", "family": "b", "params_b": 0.5,
         "base_revision": "main", "tuned_revision": "v1.0"},
    ],
    "answers": {"choose": "similarity", "similarity": "chrf", "tokens": 30, "extraction": "same"},
    "layout": {"heading": "### {number}\n", "field": "{name}: {value}\n",
               "wordings": ["{text}", "Please: {text}"], "letters": "abcd"},
    "arms": ["base-0shot", {"name": "base-5shot", "draws": 2}, "tuned-0shot-chat",
             "tuned-3shot-chat-oneturn"],
    "tasks": [
        {"task": "zoo_colour_mc", "task_type": "facts", "metric": "acc", "chance": 0.25},
        {"task": "zoo_reverse_mc", "task_type": "strings", "metric": "acc", "chance": 0,
         "scale": 0.5, "max_shots": 5, "exposure": "seen_task", "passage": "text",
         "fields": {"word": "{{word}}"}, "items": 40, "tokens": 12},
    ],
    "contrasts": [{"name": "main", "x": "base-5shot", "y": "tuned-0shot-chat"}],
    "draws": 3,
    "seed": 1,
    "limit": 20,
    "dtype": "float32",
    "trust_remote_code": False,
    "slurm": [{"up_to_params_b": 9, "hours": 1.5, "memory_gb": 4, "cpus": 2, "gpus": 1,
               "gpu_memory_gb": 80, "partition": "gpu", "setup": ["module load cuda"]}],
    "analysis": {"multiplicity": {"type": "holm", "task": "bh"}, "beside": ["bca"],
                 "equivalence_bound": 0.2},
}  # fmt: skip
TUNED: dict[str, Any] = {
    "name": "tuned",
    "layout": "zoo",
    "tuning": {
        "mixtures": {
            "m": {"sources": [{"zoo": ["reverse", "category"], "weight": 2, "context": 1}],
                  "rows": 200, "cap": 100},
            "n": {"like": "m", "without": ["strings"], "longer": "drop"},
        },
        "losses": {"w": {"over": "weighted", "instruction_weight": 0.1, "kl": 0.5}},
        "indicators": {"s": {"seed_model": "zoo:neox-late-l/tuned", "layer": 0, "threshold": 0.8}},
        "optimisers": {"o": {"learning_rate": 0.002, "batch": 20, "epochs": 1, "warmup": 0.1,
                             "packing": True, "longest": 64}},
        "adapters": {"l": {"r": 8, "alpha": 16, "modules": ["q_proj"], "bits": 4}},
        "recipes": [
            {"name": "r", "bases": [{"source": "zoo", "pair": ["neox-late-xs"]},
                                    {"base": "org/c", "family": "c", "params_b": 1}],
             "mixture": ["m", "n"], "format": "flan", "loss": ["w", "output"],
             "indicator": ["none", "s"], "optimiser": "o", "adapter": "l", "seed": [0, 1],
             "template": "chatml"},
        ],
    },
    "arms": ["base-0shot", "tuned-0shot-chat"],
    "tasks": {"suite": "zoo_mc", "only": ["zoo_colour_mc"], "task_type": ["knowledge"]},
    "contrasts": [{"name": "c", "x": "base-0shot", "y": "tuned-0shot-chat"}],
    "analysis": {"recipes": [{"axis": "mixture", "baseline": "m"}]},
}  # fmt: skip
DOCUMENT = {"word": "leaf", "asked": "leaf", "text": "A passage.", "choices": ["a", "b"], "gold": 1}
"What templates of fields are rendered over."
INFINITE = {"max_params_b", "up_to_params_b"}
"Keys whose default is infinity, which may therefore be written."
POSITIVE = {"draws", "limit", "params_b", "items", "tokens", "writing_tokens", "hours", "memory_gb",
            "rows", "batch", "epochs", "r", "cpus", "at_once", "scale"}  # fmt: skip
WHOLE = {"draws", "limit", "seed", "items", "tokens", "writing_tokens", "rows", "batch", "r",
         "cpus", "gpus", "at_once", "max_shots", "cap", "layer", "bertscore_layer"}  # fmt: skip
SEVERAL_LINES = {"layout", "fields", "wordings", "template", "setup", "description"}
"Keys under which texts may have several lines, or none."
LARGEST = 1e13


class FuzzStudyFiles(Fuzzer):
    """Study files, with what the first steps of every command look up."""

    name = "study files"

    def prepare(self, folder: Path) -> None:
        for content in (LISTED, TUNED):
            (folder / "study.yaml").write_bytes(as_yaml(content))
            self.read(folder, Mutant("nothing", {}, content))

    def mutant(self, random: Random) -> Mutant:
        content = random.choice((LISTED, TUNED))
        if random.random() < 0.08:
            content = copy.deepcopy(LISTED)
            content["tasks"][1]["fields"]["word"] = hostile_template(random)
            return Mutant("an endless field", {"study.yaml": as_yaml(content)}, invalid=True)
        if random.random() < 0.6:
            changed, change = changed_content(content, random)
            return Mutant(change, {"study.yaml": as_yaml(changed)}, changed)
        data = as_yaml(content)
        if random.random() < 0.15:
            text, change = random.choice(INVALID_ADDITIONS)
            return Mutant(change, {"study.yaml": data + text.encode()}, invalid=True)
        data, change, invalid = changed_bytes(data, random)
        return Mutant(change, {"study.yaml": data}, invalid=invalid)

    def read(self, folder: Path, mutant: Mutant) -> None:
        study = read_study(folder)
        content = mutant.content
        if content is None:
            content = yaml_content((folder / "study.yaml").read_text(encoding="utf-8-sig"))
        check_study(content, study)
        check_arms(study)
        pairs = study_pairs(study)
        assert len({pair.name for pair in pairs}) == len(pairs) > 0
        assert all(0 < pair.params_b < LARGEST for pair in pairs)
        render_fields(study_tasks(study))
        study_scorer(study)


def render_fields(tasks: Sequence[ListedTask]) -> None:
    """Render the fields of a document, as the first prompt does."""
    assert tasks
    for task in tasks:
        for name, template in task.fields.items():
            render_template(template, DOCUMENT, f"tasks: {task.task}", f"fields.{name}")


INVALID_ADDITIONS = (
    ("draws: 3\ndraws: 4\n", "a new key twice"),
    ("name: other\n", "a key repeated"),
    ('"na\\x6de": other\n', "a key repeated in another form"),
    (alias_bomb(9), "an alias bomb"),
    ("x: &x [*x]\n", "an alias to itself"),
    ("limit: !!python/object/apply:os.system [ls]\n", "code"),
    ("limit: !!int '5'\ndraws: !!float 'x'\n", "a tag that does not fit"),
    ("---\nname: other\n", "two documents"),
    ("seed: 00000000000000000000000001\n", "an integer of many digits"),
    ("\x00", "a NUL"),
    ("? [a, b]\n: c\n", "a key that is a list"),
    ("5: c\n", "a key that is a number"),
    ("tasks: \t- x\n", "a tab"),
)
"Text at the end of a valid file, each of which makes it invalid."


def check_study(content: Any, study: Study) -> None:
    """The study says what the content says, and everything in it is within its limits."""
    said = study.model_dump(exclude_unset=True)
    if isinstance(content.get("layout"), str):
        assert study.layout == LAYOUTS[content["layout"]]
        said["layout"] = content["layout"]
    for grid in said.get("tuning", {}).get("recipes", []):
        given = content["tuning"]["recipes"][said["tuning"]["recipes"].index(grid)]
        grid.update({key: given[key] for key, value in grid.items() if [given.get(key)] == value})
    assert_same(content, said)
    for place, value in values(content):
        assert_within_limits(place, value)


def assert_same(content: Any, said: Any, place: Place = ()) -> None:
    """Equal in value and type; a float may be written as an integer."""
    if isinstance(content, dict):
        assert isinstance(said, dict), place
        assert content.keys() == said.keys(), place
        for key in content:
            assert_same(content[key], said[key], (*place, key))
    elif isinstance(content, list):
        assert isinstance(said, list | tuple), place
        assert len(content) == len(said), place
        for index, value in enumerate(content):
            assert_same(value, said[index], (*place, index))
    else:
        assert content == said, f"{place}: {content!r} was read as {said!r}"
        same = type(content) is type(said) or (type(content) is int and type(said) is float)
        assert same, f"{place}: {content!r} was read as {said!r}"


def values(content: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a content that is no mapping or list, and every key, with its place."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*place, "<key>"), key
            yield from values(value, (*place, key))
    elif isinstance(content, list):
        for value in content:
            yield from values(value, place)
    else:
        yield place, content


def assert_within_limits(place: Place, value: Any) -> None:
    """What the documentation says of every value, by the last key of its place."""
    key = place[-1]
    if isinstance(value, str):
        several = bool(SEVERAL_LINES & set(place))
        odd = [c for c in value if unicodedata.category(c) in ("Cc", "Cs") or c in "\u202e\u2028"]
        assert not [c for c in odd if not (several and c in "\n\t")], f"{place}: {value!r}"
        assert several or (value == value.strip() and len(value) <= 1000), f"{place}: {value!r}"
    elif isinstance(value, bool | None):
        pass
    elif isinstance(value, datetime.date):
        assert key == "date"
    else:
        assert not math.isnan(value), place
        assert math.isfinite(value) or key in INFINITE, place
        assert value >= 0, place
        assert value > 0 or key not in POSITIVE, place
        assert isinstance(value, int) or key not in WHOLE, place
        assert value <= LARGEST or key in INFINITE, place
