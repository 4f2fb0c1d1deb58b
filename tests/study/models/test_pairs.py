"""Pairs as listed, selected, or made by recipes; names that do not resolve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.config.study import read_study
from study.errors import StudyError
from study.models.pairs import ModelRef, Pair, located, read_registry, registry, study_pairs, zoo
from study.zoo import MODELS
from tests.conftest import MakeRun
from tests.study.task_files import TUNING

LISTED = {"base": "a/b", "tuned": "a/c", "family": "a", "params_b": 1.0}


def _pairs(folder: Path) -> tuple[Pair, ...]:
    return study_pairs(read_study(folder))


UNRESOLVED: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "unknown family": (
        [{"source": "registry", "family": ["qwen2.6"]}],
        ["pairs[0].family", "Did you mean 'qwen2.5'?"],
    ),
    "unknown pair": (
        [{"source": "zoo", "pair": ["llama-early-x"]}],
        ["pairs[0].pair: found 'llama-early-x'", "one of the zoo's", "'llama-early-xs'?"],
    ),
    "selection that matches nothing": (
        [{"source": "registry", "min_params_b": 9000}],
        ["pairs[0]: found a selection that matches no pair"],
    ),
    "pair twice": ([LISTED, LISTED], ["'a/c' more than once", "another `name`"]),
}


@pytest.mark.parametrize("kind", UNRESOLVED)
def test_selections_that_do_not_resolve(kind: str, make_run: MakeRun) -> None:
    pairs, parts = UNRESOLVED[kind]
    with pytest.raises(StudyError) as error:
        _pairs(make_run(pairs=pairs))
    for part in parts:
        assert part in str(error.value)


def test_two_folders_of_one_name_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    for parent in ("one", "two"):
        (tmp_path / parent / "models" / "base").mkdir(parents=True)
    pairs = [
        {**LISTED, "base": f"../{parent}/models/base", "name": parent} for parent in ("one", "two")
    ]
    with pytest.raises(StudyError, match=r"two folders that would both be called 'models/base'"):
        _pairs(make_run(pairs=pairs))


def test_selections_combine_their_conditions(make_run: MakeRun) -> None:
    family, largest = zoo()[0].family, sorted(pair.params_b for pair in zoo())[10]
    selection = {"source": "zoo", "family": [family], "max_params_b": largest}
    pairs = _pairs(make_run(pairs=[selection]))
    assert pairs == tuple(p for p in zoo() if p.family == family and p.params_b <= largest)
    assert 0 < len(pairs) < sum(pair.family == family for pair in zoo())
    everything = _pairs(make_run("all", pairs=[{"source": "registry"}]))
    assert everything == registry()


def test_a_listed_pair(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "models" / "base").mkdir(parents=True)
    listed = {**LISTED, "base": "../models/base", "tuned_revision": "main"}
    (pair,) = _pairs(make_run(pairs=[listed]))
    assert pair.base == ModelRef(str(tmp_path / "models" / "base"))
    assert pair.tuned == ModelRef("a/c", "main")
    assert (pair.name, pair.family, pair.params_b) == ("a/c", "a", 1.0)
    assert pair.member("base") is pair.base
    assert pair.member("tuned") is pair.tuned
    assert not pair.writes_demonstrations


def test_recipes_make_pairs(make_run: MakeRun) -> None:
    pairs = _pairs(make_run(pairs=..., tuning=TUNING))
    assert [pair.writes_demonstrations for pair in pairs] == [False, True]
    assert len({pair.base for pair in pairs}) == 1
    for pair in pairs:
        assert pair.tuned.tuned_here
        assert pair.tuned.path == f"tuned:{pair.name}"
        assert pair.name.startswith("neox-late-xs-r")


def test_names_of_models() -> None:
    assert ModelRef("org/model").name == "org/model"
    assert ModelRef("org/model", "v1").name == "org/model@v1"
    assert ModelRef("/some/where/models/base").name == "models/base"
    assert not ModelRef("org/model").tuned_here


def test_a_model_is_located_by_folder_hub_name_or_zoo_member(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert located("mine", tmp_path) == ModelRef(str(tmp_path / "mine"))
    assert located("org/model", tmp_path) == ModelRef("org/model")
    assert located("zoo:neox-late-l/tuned", tmp_path) == ModelRef(str(MODELS / "neox-late-l/tuned"))


def test_known_pairs_are_unique() -> None:
    for pairs in (registry(), zoo()):
        assert len({pair.name.casefold() for pair in pairs}) == len(pairs)
        models = {(pair.base.path.casefold(), pair.tuned.path.casefold()) for pair in pairs}
        assert len(models) == len(pairs)
    assert all(Path(pair.base.path).is_dir() for pair in zoo())


HEADER = "pair,family,maker,params_b,base,tuned"
REGISTRIES = {
    "name that the hub cannot have": ["a,f,m,1,org/base,org/model#no-thinking"],
    "name without an organisation": ["a,f,m,1,base,org/model"],
    "path": ["a,f,m,1,org/../../base,org/model"],
    "dots at the end": ["a,f,m,1,org/base.,org/model"],
    "spelling": ["a,f,m,1,org/base,org/Model", "b,f,m,1,org/base,org/model"],
    "name": ["a,f,m,1,org/base,org/model", "A,f,m,1,org/other,org/another"],
    "model and itself": ["a,f,m,1,org/model,org/Model"],
}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_a_registry_is_validated(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "registry.csv"
    path.write_text("\n".join([HEADER, "z,f,m,1,org/b,org/t", *REGISTRIES[kind]]) + "\n")
    with pytest.raises(StudyError, match=r"registry\.csv: row [34]"):
        read_registry(path)


def test_a_renamed_model_stands_once() -> None:
    """These three were in it under an old name, or in two spellings."""
    names = {pair.name.casefold() for pair in registry()}
    for name in (
        "meta-llama/meta-llama-3.1-8b-instruct",
        "meta-llama/meta-llama-3.1-70b-instruct",
        "huggingfacetb/smollm3-3b#no-thinking",
    ):
        assert name not in names
    assert "meta-llama/llama-3.1-8b-instruct" in names
    assert "huggingfacetb/smollm3-3b" in names
