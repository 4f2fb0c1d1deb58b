"""From a YAML file to a validated, frozen model, with one clear error for whatever is wrong.

In: a pydantic model class and a path. Out: an instance, or a `StudyError`.

Where a model has an entry of two forms, its tag is written in angle brackets (`<listed>`), so that
it can be told from what stands in the file when an error's place is named.
"""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from study.errors import StudyError, listed, nearest


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


def validated(kind: type[Model], path: Path) -> Model:
    """Reads a YAML file as `kind`; StudyError on the first fault."""
    content = read_mapping(path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        # An unknown key first: it is often the reason why another one is missing.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise _clear(path, content, kind, faults[0]) from None


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; code and object tags are refused."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise StudyError(path, found=f"{error}", expected="text in UTF-8") from None
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a file that can be read") from None
    except yaml.YAMLError as error:
        fault = re.sub(r"\s+", " ", str(error))
        raise StudyError(path, found=f"not YAML: {fault}", expected="a YAML mapping") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise StudyError(path, found=found, expected="a YAML mapping")
    return content


def _clear(path: Path, content: Any, kind: type[BaseModel], fault: Any) -> StudyError:
    """One fault of pydantic's as a StudyError."""
    place = [part for part in fault["loc"] if not _is_tag(part)]
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".")
    if fault["type"] == "extra_forbidden":
        allowed = list(_model_at(kind, fault["loc"][:-1]).model_fields)
        return StudyError(
            path,
            key,
            found="an unknown key",
            expected=f"one of {listed(allowed, most=20)}",
            do=nearest(place[-1], allowed),
        )
    if fault["type"] == "missing":
        return StudyError(path, key, found="nothing", expected="a value: this key is required")
    found = _found(content, place)
    if fault["type"] == "value_error":
        # A whole section is not shown: what its parts contradict is said in words.
        place_found = "a contradiction" if isinstance(found, dict) else repr(found)
        return StudyError(path, key or None, found=place_found, expected=str(fault["ctx"]["error"]))
    expected = re.sub(r"^(Input|Value|List|String) should (be )?", "", fault["msg"])
    allowed = re.findall(r"'([^']+)'", expected)
    return StudyError(path, key, found=repr(found), expected=expected, do=nearest(found, allowed))


def _is_tag(part: Any) -> bool:
    return isinstance(part, str) and part.startswith("<")


def _found(content: Any, place: list[Any]) -> Any:
    for part in place:
        content = content[part]
    return content


def _model_at(kind: type[BaseModel], loc: tuple[Any, ...]) -> type[BaseModel]:
    """The model that stands at a place of `kind`, found through the fields' types."""
    current: Any = kind
    for part in loc:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            if field is not None:
                current = (field.annotation, field.metadata)
        elif _is_tag(part):
            current = next(model for tag, model in _tagged(current) if tag == part)
        models = [model for _, model in _tagged(current)]
        if len(set(models)) == 1:
            current = models[0]
    return current if isinstance(current, type) else kind


def _tagged(annotation: Any, tag: str | None = None) -> list[tuple[str | None, type[BaseModel]]]:
    """The models inside a type, each with the tag it stands under."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(tag, annotation)]
    tag = next((m.tag for m in getattr(annotation, "__metadata__", ()) if hasattr(m, "tag")), tag)
    parts = annotation if isinstance(annotation, tuple) else typing.get_args(annotation)
    return [found for part in parts for found in _tagged(part, tag)]
