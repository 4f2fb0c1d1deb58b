"""From a YAML file to a validated, frozen model, with one clear error for each fault.

In: a pydantic model class and a path. Out: an instance, or a `StudyError`.

Where an entry has two forms, the tags of the union are written in angle brackets (`<listed>`), so
that they can be removed from the location that an error names.
"""

from __future__ import annotations

import datetime
import re
import typing
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from study.errors import StudyError, listed, nearest
from study.yaml_files import read_mapping

MAX_TEXT = 1000
"Characters of a text of one line."
MAX_PART = 255
"Bytes of a part between slashes, since any text may be part of a path."
MAX_COUNT = 10**9
"Largest number of items, rows or tokens that a study file may state."
MAX_SEED = 2**32 - 1
ALL_FIELDS = frozenset({"*"})
_NOT_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"Unicode categories of control characters, lone surrogates, separators of lines and paragraphs."
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"Characters that change the direction in which others are shown."


class Strict(BaseModel):
    """A frozen model that refuses unknown keys, converts no types, and takes finite numbers only.

    Its texts are not empty, and have one line without characters that do not print; those of the
    fields in `multiline` may be empty, and have several lines.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    multiline: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="after")
    @classmethod
    def _check_texts(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if value == cls.model_fields[name].default:
            return value
        for text in _texts(value):
            if cls.multiline & {name, *ALL_FIELDS}:
                _check_lines(text)
            else:
                check_line(text)
        return value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        yield from _texts([*value.keys(), *value.values()])


def check_line(text: str) -> str:
    """A text of one line that may be part of a path; ValueError for any other."""
    if not text.isprintable() or text != text.strip() or not text:
        raise ValueError(
            f"a text of one line, without control characters and surrounding spaces, found {text!r}"
        )
    longest = max(len(part.encode()) for part in text.split("/"))
    if len(text) > MAX_TEXT or longest > MAX_PART:
        raise ValueError(
            f"a text of at most {MAX_TEXT} characters, {MAX_PART} bytes between slashes, "
            f"found {len(text)} characters"
        )
    return text


def _check_lines(text: str) -> None:
    for char in text:
        if char in _OVERRIDES or (unicodedata.category(char) in _NOT_TEXT and char not in "\n\t"):
            raise ValueError(f"a text without control characters, found {char!r}")


def _check_parts(name: str) -> str:
    if {"", ".", ".."} & set(re.split(r"[/\\]", name)) or "\\" in name:
        raise ValueError("a name without '..', empty parts and backslashes, such as org/model")
    return name


Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
"A name that can be part of a file name."
PairName = Annotated[str, AfterValidator(_check_parts)]
"A name like those of models on the hub: parts between slashes."


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
    return validated_content(kind, read_mapping(path), path)


def validated_content(kind: type[Model], content: dict[str, Any], path: Path) -> Model:
    """The content of a file as `kind`; StudyError for the first fault."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        # An unknown key first: it is often the reason why another one is missing. Of the types that
        # a value may have, the one that most of it fits says what is wrong with the rest.
        faults = sorted(
            error.errors(),
            key=lambda fault: (
                fault["type"] != "extra_forbidden",
                -len(_location(content, fault["loc"])),
            ),
        )
        raise _study_error(path, content, kind, faults[0]) from None


def _study_error(path: Path, content: Any, kind: type[BaseModel], fault: Any) -> StudyError:
    """One of pydantic's faults as a StudyError."""
    location, value = _location(content, fault["loc"]), fault["input"]
    if fault["type"] == "missing":
        location.append(fault["loc"][-1])
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location).lstrip(".")
    if fault["type"] == "extra_forbidden":
        allowed = list(_model_at(kind, fault["loc"][:-1]).model_fields)
        return StudyError(
            path,
            key,
            found="an unknown key",
            expected=f"one of {listed(allowed, most=20)}",
            do=nearest(fault["loc"][-1], allowed),
        )
    if fault["type"] == "missing":
        return StudyError(path, key, found="nothing", expected="a value: this key is required")
    if fault["type"] == "value_error":
        # A whole section is not printed: the message names the parts that contradict each other.
        found = "a contradiction" if isinstance(value, dict) else repr(value)
        return StudyError(path, key or None, found=found, expected=str(fault["ctx"]["error"]))
    if fault["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return StudyError(path, key, found=repr(value), expected="a mapping")
    expected = re.sub(r"^(Input|Value|List|String) should (be )?", "", fault["msg"])
    if fault["type"] == "string_type" and isinstance(value, int | float | datetime.date):
        return StudyError(path, key, found=str(value), expected="a text", do="Write it in quotes")
    allowed = re.findall(r"'([^']+)'", expected)
    return StudyError(path, key, found=repr(value), expected=expected, do=nearest(value, allowed))


def _location(content: Any, loc: tuple[Any, ...]) -> list[str | int]:
    """Where a fault is, without what pydantic adds to its location: tags and types of unions, the
    place in a list that stands for a single value."""
    location = []
    for part in loc:
        in_list = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if in_list or (isinstance(content, dict) and part in content):
            location.append(part)
            content = content[part]
    return location


def _is_tag(part: Any) -> bool:
    return isinstance(part, str) and part.startswith("<")


def _model_at(kind: type[BaseModel], loc: tuple[Any, ...]) -> type[BaseModel]:
    """The model at a location of `kind`, followed through the types of the fields."""
    current: Any = kind
    for part in loc:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            if field is not None:
                current = (field.annotation, field.metadata)
        elif _is_tag(part):
            current = next((model for tag, model in _tagged(current) if tag == part), current)
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
