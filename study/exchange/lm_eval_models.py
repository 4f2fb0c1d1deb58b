"""Which pairs the model of lm-eval's results belongs to.

In: the content of a results file, the known pairs, and what the user says. Out: pairs with the role
of the model in each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from study.config.arms import ROLES
from study.config.study import Study
from study.csv_text import name_of
from study.errors import StudyError, nearest
from study.exchange.json_values import JsonValue
from study.models.pairs import ModelRef, Pair, registry, study_pairs, zoo

MAX_NAME = 300
"Characters of a model's name."


@dataclass(frozen=True)
class GivenPair:
    """What the user says about a model of no known pair."""

    name: str
    role: str
    family: str
    params_b: float


def given_pair(name: str, role: str, family: str, params_b: float) -> GivenPair | None:
    """The pair that options of the command line describe; None if none was given.

    StudyError if one of them is missing or is no such value. An unknown size is nan.
    """
    if not name:
        if role or family or not math.isnan(params_b):
            raise StudyError("--pair", found="nothing", expected="the name of the pair as well")
        return None
    if role not in ROLES or not family:
        raise StudyError(
            "--pair",
            found=f"--role {role!r} and --family {family!r}",
            expected="--role base or tuned, and --family, with it",
        )
    for option, text in (("--pair", name), ("--family", family)):
        try:
            name_of(text)
        except ValueError as error:
            raise StudyError(option, found=repr(text), expected=str(error)) from None
    if params_b <= 0 or math.isinf(params_b):
        raise StudyError("--params-b", found=params_b, expected="a number above 0")
    return GivenPair(name, role, family, params_b)


Member = tuple[Pair | GivenPair, str]
"A pair and the role of the model in it."


def known_pairs(study: Study) -> list[Pair]:
    """The pairs of the study, of the registry and of the zoo."""
    return [*(study_pairs(study) if study.pairs else ()), *registry(), *zoo()]


def model_of(results: JsonValue) -> str:
    """The model's name; StudyError if there is none, or the results contradict each other.

    Of an adapter it is the adapter's name, as lm-eval has it.
    """
    stated = results.get("model_name")
    named = next((n for n in map(_arguments(results).get, _NAMES) if n.value is not None), stated)
    try:
        name = name_of(named.text())
    except ValueError as error:
        raise named.error(str(error)) from None
    if len(name) > MAX_NAME:
        raise named.error(f"a name of at most {MAX_NAME} characters")
    if stated.text() not in ("", name):
        raise stated.error(f"the model that {named.place} names, {name!r}")
    return name


_NAMES = ("peft", "delta", "pretrained")


def _arguments(results: JsonValue) -> JsonValue:
    """The model's arguments as a mapping; lm-eval writes a mapping, or `name=value,…`."""
    arguments = results.get("config").get("model_args")
    if not isinstance(arguments.value, str):
        return arguments
    parts = [part.partition("=") for part in arguments.value.split(",")]
    return JsonValue(results.path, arguments.place, {key: value for key, _, value in parts})


def members(results: JsonValue, pairs: Sequence[Pair], given: GivenPair | None) -> list[Member]:
    """(pair, role) of the results' model; a base model is a member of several pairs."""
    if given is not None:
        return [(given, given.role)]
    model, revision = model_of(results), _arguments(results).get("revision").text()
    found: dict[tuple[str, str], Member] = {}
    for pair in pairs:
        for role in ROLES:
            if _is_same(pair.member(role), model, revision):
                found.setdefault((pair.name, role), (pair, role))
    if not found:
        at = f" at revision {revision!r}" if revision else ""
        near = nearest(model, [pair.member(role).path for pair in pairs for role in ROLES])
        raise StudyError(
            results.path,
            "model_name",
            found=f"{model!r}{at}, a model of no known pair",
            expected="a model of the study's pairs or of the registry",
            do=f"Name its pair: --pair, --role, --family, --params-b. {near}".strip(),
        )
    return list(found.values())


def _is_same(ref: ModelRef, model: str, revision: str) -> bool:
    """Whether results are of this model, by its hub name, its folder, or its name in tables."""
    if not revision and model == ref.name:
        return True
    if Path(ref.path).is_absolute():
        return Path(model).is_absolute() and Path(model).resolve() == Path(ref.path)
    return ref.path == model and revision in ("", ref.revision or "main")
