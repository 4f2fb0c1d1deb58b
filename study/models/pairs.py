"""Pairs: which (base, tuned) models a study is about.

In: a `Study` and its folder. Out: `Pair` objects, from the registry of real models
(`data/registry.csv`), from the zoo, or as listed in the study file.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from study.config.entries import ListedPair, SelectedPairs
from study.config.study import Study, study_file
from study.config.tuning.grids import Recipe, recipes
from study.config.tuning.recipes import Base, ChosenBases
from study.data import REGISTRY
from study.errors import StudyError, listed, nearest

TUNED_HERE = "tuned:"
"Begins the path of a model that the study makes; its folder is known by its recipe's key."


@dataclass(frozen=True)
class ModelRef:
    """Where a model is: a folder, a name on the hub with a revision, or a recipe of the study."""

    path: str
    "Folder or hub name; of a model that the study makes, its pair's name."
    revision: str | None = None
    "Branch, tag or commit on the hub; None: the default branch, or a folder."

    @property
    def tuned_here(self) -> bool:
        """Whether the study makes it, by a recipe."""
        return self.path.startswith(TUNED_HERE)

    @property
    def name(self) -> str:
        """What tables call it: a hub name whole, with the revision that was asked for; a folder by
        its last two parts."""
        path = Path(self.path)
        name = "/".join(path.parts[-2:]) if path.is_absolute() else self.path
        return f"{name}@{self.revision}" if self.revision else name


@dataclass(frozen=True)
class Pair:
    """A base model and the tuned model made from it."""

    name: str
    family: str
    maker: str
    params_b: float
    "Parameters, 10⁹."
    base: ModelRef
    tuned: ModelRef
    recipe: Recipe | None = dataclasses.field(default=None, compare=False)
    "How the tuned model is made, where the study makes it."

    def member(self, role: str) -> ModelRef:
        """The model that has this role."""
        return self.base if role == "base" else self.tuned


@cache
def registry() -> tuple[Pair, ...]:
    """The real pairs that the package knows."""
    with REGISTRY.open(encoding="utf-8", newline="") as file:
        return tuple(
            Pair(
                name=row["pair"],
                family=row["family"],
                maker=row["maker"],
                params_b=float(row["params_b"]),
                base=ModelRef(row["base"]),
                tuned=ModelRef(row["tuned"]),
            )
            for row in csv.DictReader(file)
        )


def zoo() -> tuple[Pair, ...]:
    """The zoo's pairs, as they stand built in the package."""
    from study.zoo import MODELS
    from study.zoo.build import built_members

    return tuple(
        Pair(
            name=record["member"],
            family=record["family"],
            maker="zoo",
            params_b=record["parameters"] / 1e9,
            base=ModelRef(str(MODELS / record["member"] / "base")),
            tuned=ModelRef(str(MODELS / record["member"] / "tuned")),
        )
        for record in built_members()
    )


def study_pairs(study: Study, run: Path) -> tuple[Pair, ...]:
    """All pairs of a study in its order, each once; StudyError if a selection fits nothing."""
    path = study_file(run)
    pairs: list[Pair] = []
    for i, entry in enumerate(study.pairs):
        if isinstance(entry, ListedPair):
            pairs.append(_listed_pair(entry, run))
        else:
            pairs += _selected(entry, path, f"pairs[{i}]")
    for i, grid in enumerate(study.tuning.recipes):
        for j, chosen in enumerate(grid.bases):
            for base in _bases(chosen, run, path, f"tuning.recipes[{i}].bases[{j}]"):
                pairs += [_tuned_pair(base, recipe) for recipe in recipes(study.tuning, grid, path)]
    names = [pair.name for pair in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StudyError(
            path,
            "pairs",
            found=f"{listed(twice)} more than once",
            expected="each pair once, by a name of its own",
            do="Give one of them another `name`",
        )
    _check_model_names(pairs, path)
    return tuple(pairs)


def _check_model_names(pairs: list[Pair], path: Path) -> None:
    """Two models of one name would share a log, and nobody could tell their rows apart."""
    named: dict[str, ModelRef] = {}
    for ref in (ref for pair in pairs for ref in (pair.base, pair.tuned)):
        other = named.setdefault(ref.name, ref)
        if other != ref:
            raise StudyError(
                path,
                "pairs",
                found=f"two folders that would both be called {ref.name!r}, {other.path} and "
                f"{ref.path}",
                expected="models that differ in the last two parts of their folders",
                do="Rename or link one of the folders",
            )


def _listed_pair(entry: ListedPair, run: Path) -> Pair:
    return Pair(
        name=entry.name or entry.tuned,
        family=entry.family,
        maker="",
        params_b=entry.params_b,
        base=ModelRef(_located(entry.base, run), entry.base_revision),
        tuned=ModelRef(_located(entry.tuned, run), entry.tuned_revision),
    )


def _tuned_pair(base: Pair, recipe: Recipe) -> Pair:
    name = f"{base.name}-{recipe.name}"
    tuned = ModelRef(f"{TUNED_HERE}{name}")
    return Pair(name, base.family, base.maker, base.params_b, base.base, tuned, recipe)


def _bases(chosen: ChosenBases | Base, run: Path, path: Path, key: str) -> Iterator[Pair]:
    """Pairs for their bases' sake, each base once."""
    if isinstance(chosen, Base):
        name = chosen.name or Path(chosen.base).name
        ref = ModelRef(_located(chosen.base, run), chosen.revision)
        yield Pair(name, chosen.family, "", chosen.params_b, ref, ref)
        return
    selected = SelectedPairs(**chosen.model_dump(exclude_unset=True))
    seen = set()
    for pair in _selected(selected, path, key):
        if pair.base not in seen:
            seen.add(pair.base)
            yield pair


def located(model: str, run: Path) -> ModelRef:
    """A model by its folder (relative to the run), its hub name, or `zoo:<member>/<role>`."""
    if model.startswith("zoo:"):
        from study.zoo import MODELS

        return ModelRef(str(MODELS / model.removeprefix("zoo:")))
    return ModelRef(_located(model, run))


def _located(model: str, run: Path) -> str:
    """A folder's absolute path if there is one (relative to the run), else the name as it is."""
    folder = run / model
    return str(folder.resolve()) if folder.is_dir() else model


def _selected(entry: SelectedPairs, path: Path, key: str) -> list[Pair]:
    known = registry() if entry.source == "registry" else zoo()
    for field in ("family", "maker", "pair"):
        attribute = "name" if field == "pair" else field
        there = sorted({getattr(pair, attribute) for pair in known})
        for wanted in getattr(entry, field) or ():
            if wanted not in there:
                raise StudyError(
                    path,
                    f"{key}.{field}",
                    found=repr(wanted),
                    expected=f"one of the {entry.source}'s: {listed(there)}",
                    do=nearest(wanted, there),
                )
    picked = [
        pair
        for pair in known
        if (entry.family is None or pair.family in entry.family)
        and (entry.maker is None or pair.maker in entry.maker)
        and (entry.pair is None or pair.name in entry.pair)
        and entry.min_params_b <= pair.params_b <= entry.max_params_b
    ]
    if not picked:
        raise StudyError(
            path,
            key,
            found="a selection that fits no pair",
            expected=f"one that fits some of the {entry.source}'s {len(known)} pairs",
        )
    return picked
