"""The page of the study file has every key, with the type and the default that the code has."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import math
import operator
import re
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from study.config.study import Study
from tests import pages

COMPARISONS = {"≥": operator.ge, ">": operator.gt, "≤": operator.le, "<": operator.lt}


def models_of(kind: Any, seen: dict[str, type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """All models that a model is made of, by name."""
    if inspect.isclass(kind) and issubclass(kind, BaseModel):
        if kind.__name__ not in seen:
            seen[kind.__name__] = kind
            for field in kind.model_fields.values():
                models_of(field.annotation, seen)
        return seen
    for part in typing.get_args(kind):
        models_of(part, seen)
    return seen


def documented_keys() -> dict[str, dict[str, tuple[str, str]]]:
    """By model, the keys in its table on the page of the study file, each with type and default."""
    text = pages.page_text("docs/study-file.md")
    tables = re.findall(r"<!-- keys of (\w+) -->\n\n((?:\|.*\n)+)", text)
    pattern = r"^\| `(\w+)` \| (.+) \| (.+) \| .+ \|$"
    return {
        name: {key: (kind, default) for key, kind, default in re.findall(pattern, table, re.M)}
        for name, table in tables
    }


MODELS, DOCUMENTED = models_of(Study, {}), documented_keys()


def default_text(value: Any) -> str | None:
    """How the page writes a default; None where it is described in words."""
    if value is None:
        return "–"
    if isinstance(value, float) and math.isinf(value):
        return "`.inf`"
    if isinstance(value, BaseModel | tuple):
        return None
    if isinstance(value, dt.date):
        return f"`{value}`"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def test_the_page_has_every_key_with_its_default() -> None:
    assert DOCUMENTED.keys() == MODELS.keys()
    for name, model in MODELS.items():
        assert DOCUMENTED[name].keys() == model.model_fields.keys(), name
        for key, field in model.model_fields.items():
            _, documented = DOCUMENTED[name][key]
            if field.is_required():
                assert documented == "required", (name, key)
                continue
            text = default_text(field.get_default(call_default_factory=True))
            assert text is None or documented == text, (name, key)


def values(kind: str) -> Iterator[tuple[Any, bool]]:
    """Values at the edges of a documented type, and whether they belong to it."""
    bounds = [(COMPARISONS[sign], float(end)) for sign, end in re.findall(r"([≥>≤<]) (\d+)", kind)]
    step = 1 if kind.startswith("integer") else 0.001
    for _, end in bounds:
        for value in (end - step, end, end + step):
            yield value, all(compare(value, other) for compare, other in bounds)
    if kind == "true or false":
        yield from ((True, True), (False, True), ("perhaps", False))
    if "at least 1" in kind:
        yield [], False
    if kind == "name":
        yield from (("a.b_c-1", True), ("a b", False), ("a/b", False), ("", False))
    choices = [json.loads(text) if re.match(r'["\d]', text) else text
               for text in re.findall(r"`(.+?)`", kind)]  # fmt: skip
    if kind.startswith("`") and "mapping" not in kind:
        yield from ((choice, True) for choice in choices)
        yield "no such value", False
    if kind.startswith(("one or a list of `", "list of `")):
        yield from (([choice], True) for choice in choices)
        yield choices, True
        yield ["no such value"], False
    if kind.startswith("one or a list") or kind.endswith("or list"):
        one = (choices or ([1] if kind.startswith("integer") else ["a"]))[0]
        yield from ((one, True), ([one], True))


@pytest.mark.parametrize("name", MODELS)
def test_keys_accept_what_the_page_says(name: str) -> None:
    for key, field in MODELS[name].model_fields.items():
        adapter = TypeAdapter[Any](Annotated[field.annotation, field])
        kind, _ = DOCUMENTED[name][key]
        if not field.is_required():
            adapter.validate_python(field.get_default(call_default_factory=True))
        for value, valid in values(kind):
            try:
                adapter.validate_python(value)
            except ValidationError:
                assert not valid, f"{name}.{key}: {kind} refuses {value!r}"
            else:
                assert valid, f"{name}.{key}: {kind} accepts {value!r}"
