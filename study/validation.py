"""From a YAML file to a validated, frozen model, with one clear error for each fault.

In: a pydantic model class and a path. Out: an instance, or a `StudyError`.

Where an entry has two forms, the tags of the union are written in angle brackets (`<listed>`), so
that they can be removed from the location that an error names.
"""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, ValidationError

from study.errors import StudyError, listed, nearest


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
"A name that can be part of a file name."


def either_mapping(mapping: str, otherwise: str, key: str | None = None) -> Discriminator:
    """Discriminate an entry of two forms: a mapping (that has `key`, if given), or another value.

    `mapping` and `otherwise` are the tags of the two forms.
    """

    def tag(value: Any) -> str:
        if key is None:
            return mapping if isinstance(value, dict | Strict) else otherwise
        present = key in value if isinstance(value, dict) else hasattr(value, key)
        return mapping if present else otherwise

    return Discriminator(tag)


def validated(kind: type[Model], path: Path) -> Model:
    """Read a YAML file as `kind`; StudyError for the first fault."""
    content = read_mapping(path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        # An unknown key first: it is often the reason why another one is missing.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise _study_error(path, content, kind, faults[0]) from None


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; code and object tags are refused."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise StudyError(path, found=f"{error}", expected="text in UTF-8") from None
    except OSError as error:
        raise StudyError(path, found=error.strerror, expected="a readable file") from None
    except yaml.YAMLError as error:
        fault = re.sub(r"\s+", " ", str(error))
        raise StudyError(path, found=f"not YAML: {fault}", expected="a YAML mapping") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise StudyError(path, found=found, expected="a YAML mapping")
    return content


def _study_error(path: Path, content: Any, kind: type[BaseModel], fault: Any) -> StudyError:
    """One of pydantic's faults as a StudyError."""
    location = [part for part in fault["loc"] if not _is_tag(part)]
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location).lstrip(".")
    if fault["type"] == "extra_forbidden":
        allowed = list(_model_at(kind, fault["loc"][:-1]).model_fields)
        return StudyError(
            path,
            key,
            found="an unknown key",
            expected=f"one of {listed(allowed, most=20)}",
            do=nearest(location[-1], allowed),
        )
    if fault["type"] == "missing":
        return StudyError(path, key, found="nothing", expected="a value: this key is required")
    value = _value_at(content, location)
    if fault["type"] == "value_error":
        # A whole section is not printed: the message names the parts that contradict each other.
        found = "a contradiction" if isinstance(value, dict) else repr(value)
        return StudyError(path, key or None, found=found, expected=str(fault["ctx"]["error"]))
    expected = re.sub(r"^(Input|Value|List|String) should (be )?", "", fault["msg"])
    allowed = re.findall(r"'([^']+)'", expected)
    return StudyError(path, key, found=repr(value), expected=expected, do=nearest(value, allowed))


def _is_tag(part: Any) -> bool:
    return isinstance(part, str) and part.startswith("<")


def _value_at(content: Any, location: list[Any]) -> Any:
    for part in location:
        content = content[part]
    return content


def _model_at(kind: type[BaseModel], loc: tuple[Any, ...]) -> type[BaseModel]:
    """The model at a location of `kind`, followed through the types of the fields."""
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
    """The models inside a type, each with its tag in a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(tag, annotation)]
    tag = next((m.tag for m in getattr(annotation, "__metadata__", ()) if hasattr(m, "tag")), tag)
    parts = annotation if isinstance(annotation, tuple) else typing.get_args(annotation)
    return [entry for part in parts for entry in _tagged(part, tag)]
