"""Pairs: the (base, tuned) models of a study.

In: a `Study`. Out: `Pair` objects, from the registry of real models (`study/data/registry.csv`),
from the zoo, as listed in the study file, or as its recipes make them.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from study.config.arms import TemplateArguments
from study.config.pairs import ListedPair, SelectedPairs
from study.config.study import Study
from study.config.tuning.grids import Recipe, recipes
from study.config.tuning.recipes import Base, ChosenBases
from study.data import REGISTRY
from study.errors import StudyError, listed, nearest
from study.zoo import MODELS
from study.zoo.build import built_members

TUNED_HERE = "tuned:"
"Prefix of the path of a model that the study trains; its folder is named by its recipe's key."
HUB_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9]\w*(?:[.-]\w+)*/\w+(?:[.-]+\w+)*", re.ASCII)
"A name of a model on the hub: two parts of letters, digits, `_`, `-` and `.`."
ZOO_MODEL = "zoo:"
"Prefix of a zoo model's name, `zoo:<member>/<role>`."


@dataclass(frozen=True)
class ModelRef:
    """Where a model is: a folder, a hub name with a revision, or a recipe of the study."""

    path: str
    "Folder or hub name; for a model that the study trains, its pair's name with a prefix."
    revision: str | None = None
    "Branch, tag or commit on the hub; None for the default branch, or a folder."

    @property
    def tuned_here(self) -> bool:
        """Whether the study trains the model by a recipe."""
        return self.path.startswith(TUNED_HERE)

    @property
    def name(self) -> str:
        """Name in tables: a hub name in full, with its revision if one was given; of a folder the
        last two parts."""
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
    "Parameter count in billions."
    base: ModelRef
    tuned: ModelRef
    recipe: Recipe | None = dataclasses.field(default=None, compare=False)
    "How the study trains the tuned model; None if it does not."
    template_arguments: TemplateArguments = dataclasses.field(default_factory=dict, compare=False)
    "Arguments of the tuned model's chat template."

    def member(self, role: str) -> ModelRef:
        """The model with this role."""
        return self.base if role == "base" else self.tuned

    @property
    def writes_demonstrations(self) -> bool:
        """Whether the tuned model was trained to write demonstrations before it answers."""
        return self.recipe is not None and self.recipe.writes


@cache
def registry() -> tuple[Pair, ...]:
    """The real pairs that the package knows."""
    return read_registry(REGISTRY)


def read_registry(path: Path) -> tuple[Pair, ...]:
    """Pairs of a CSV file; StudyError for names that the hub does not have, and for pairs that
    stand twice."""
    pairs: list[Pair] = []
    seen: set[str] = set()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            where = f"row {len(pairs) + 2}"
            for column in ("base", "tuned"):
                if not HUB_NAME.fullmatch(row[column]):
                    found, expected = repr(row[column]), "a name on the hub, `organisation/model`"
                    raise StudyError(path, f"{where}: {column}", found=found, expected=expected)
            names = {row["pair"].casefold(), f"{row['base']} {row['tuned']}".casefold()}
            if seen & names or row["base"].casefold() == row["tuned"].casefold():
                expected = "each pair once, of two models"
                raise StudyError(path, where, found=repr(row["pair"]), expected=expected)
            seen |= names
            pairs.append(
                Pair(
                    name=row["pair"],
                    family=row["family"],
                    maker=row["maker"],
                    params_b=float(row["params_b"]),
                    base=ModelRef(row["base"]),
                    tuned=ModelRef(row["tuned"]),
                )
            )
    return tuple(pairs)


def zoo() -> tuple[Pair, ...]:
    """The pairs of the zoo, as built in the package."""
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


def study_pairs(study: Study) -> tuple[Pair, ...]:
    """All pairs of a study, in its order; StudyError for a selection that matches nothing."""
    pairs: list[Pair] = []
    for i, entry in enumerate(study.pairs):
        if isinstance(entry, ListedPair):
            pairs.append(_listed_pair(entry, study.folder))
        else:
            pairs += _selected(study, entry, f"pairs[{i}]")
    for i, grid in enumerate(study.tuning.recipes):
        for j, chosen in enumerate(grid.bases):
            for base in _bases(study, chosen, f"tuning.recipes[{i}].bases[{j}]"):
                pairs += [_tuned_pair(base, recipe) for recipe in recipes(study.tuning, grid)]
    names = [pair.name for pair in pairs]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise study.error(
            "pairs",
            found=f"{listed(repeated)} more than once",
            expected="each pair once, under a different name",
            do="Give one of them another `name`",
        )
    _check_model_names(study, pairs)
    return tuple(pairs)


def _check_model_names(study: Study, pairs: list[Pair]) -> None:
    """Two models with one name would share a log, and their rows could not be told apart."""
    by_name: dict[str, ModelRef] = {}
    for ref in (ref for pair in pairs for ref in (pair.base, pair.tuned)):
        other = by_name.setdefault(ref.name, ref)
        if other != ref:
            raise study.error(
                "pairs",
                found=f"two folders that would both be called {ref.name!r}, {other.path} and "
                f"{ref.path}",
                expected="models that differ in the last two parts of their folders",
                do="Rename or link one of the folders",
            )


def _listed_pair(entry: ListedPair, folder: Path) -> Pair:
    return Pair(
        name=entry.name or entry.tuned,
        family=entry.family,
        maker="",
        params_b=entry.params_b,
        base=ModelRef(_path(entry.base, folder), entry.base_revision),
        tuned=ModelRef(_path(entry.tuned, folder), entry.tuned_revision),
        template_arguments=entry.template_arguments,
    )


def _tuned_pair(base: Pair, recipe: Recipe) -> Pair:
    name = f"{base.name}-{recipe.name}"
    tuned = ModelRef(f"{TUNED_HERE}{name}")
    return Pair(
        name,
        base.family,
        base.maker,
        base.params_b,
        base.base,
        tuned,
        recipe,
        recipe.template_arguments,
    )


def _bases(study: Study, chosen: ChosenBases | Base, key: str) -> Iterator[Pair]:
    """Pairs that stand for their bases, each base once."""
    if isinstance(chosen, Base):
        name = chosen.name or Path(chosen.base).name
        ref = ModelRef(_path(chosen.base, study.folder), chosen.revision)
        yield Pair(name, chosen.family, "", chosen.params_b, ref, ref)
        return
    seen = set()
    selection = SelectedPairs(**chosen.model_dump(exclude_unset=True))
    for pair in _selected(study, selection, key):
        if pair.base not in seen:
            seen.add(pair.base)
            yield pair


def located(model: str, folder: Path) -> ModelRef:
    """A model by its folder (relative to `folder`), its hub name, or `zoo:<member>/<role>`."""
    if model.startswith(ZOO_MODEL):
        return ModelRef(str(MODELS / model.removeprefix(ZOO_MODEL)))
    return ModelRef(_path(model, folder))


def _path(model: str, folder: Path) -> str:
    """Absolute path of a model's folder, relative to `folder`; a hub name stays as it is."""
    path = folder / model
    return str(path.resolve()) if path.is_dir() else model


def _selected(study: Study, entry: SelectedPairs, key: str) -> list[Pair]:
    known = registry() if entry.source == "registry" else zoo()
    for field in ("family", "maker", "pair"):
        attribute = "name" if field == "pair" else field
        available = sorted({getattr(pair, attribute) for pair in known})
        for wanted in getattr(entry, field) or ():
            if wanted not in available:
                raise study.error(
                    f"{key}.{field}",
                    found=repr(wanted),
                    expected=f"one of the {entry.source}'s: {listed(available)}",
                    do=nearest(wanted, available),
                )
    selected = [
        dataclasses.replace(pair, template_arguments=entry.template_arguments)
        for pair in known
        if (entry.family is None or pair.family in entry.family)
        and (entry.maker is None or pair.maker in entry.maker)
        and (entry.pair is None or pair.name in entry.pair)
        and entry.min_params_b <= pair.params_b <= entry.max_params_b
    ]
    if not selected:
        raise study.error(
            key,
            found="a selection that matches no pair",
            expected=f"one that matches some of the {entry.source}'s {len(known)} pairs",
        )
    return selected
