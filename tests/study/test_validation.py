"""From a YAML file to a frozen model: every fault is one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, Tag, ValidationError

from study.config.study import read_study
from study.errors import StudyError
from study.validation import Name, Strict, either_mapping, validated
from study.yaml_files import read_mapping
from tests.conftest import MakeRun

NOT_A_MAPPING = {
    "name: [": "not YAML",
    "": "found nothing",
    "- a\n- b\n": "found a list",
    "name: !!python/object/apply:os.system [ls]": "not YAML",
}


@pytest.mark.parametrize("text", NOT_A_MAPPING)
def test_files_that_hold_no_mapping(text: str, make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "study.yaml").write_text(text)
    with pytest.raises(StudyError, match=NOT_A_MAPPING[text]):
        read_study(folder)


def test_files_that_cannot_be_read(tmp_path: Path, make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "study.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(StudyError, match="UTF-8"):
        read_study(folder)
    (folder / "study.yaml").unlink()
    with pytest.raises(StudyError, match=r"no study\.yaml"):
        read_study(folder)
    with pytest.raises(StudyError, match=r"no such folder.*Did you mean 'run'"):
        read_study(tmp_path / "runn")
    with pytest.raises(StudyError, match="a readable file"):
        read_mapping(tmp_path)


class Apple(Strict):
    """An entry with a key of its own."""

    core: int = Field(ge=1)


class Pear(Strict):
    """An entry without."""

    stem: int
    leaf: str = "green"


class Basket(Strict):
    """Entries of two forms."""

    name: Name = "basket"
    fruits: list[
        Annotated[
            Annotated[Apple, Tag("<apple>")] | Annotated[Pear, Tag("<pear>")],
            either_mapping("<apple>", "<pear>", key="core"),
        ]
    ]


def _read(tmp_path: Path, text: str) -> Basket:
    path = tmp_path / "basket.yaml"
    path.write_text(text)
    return validated(Basket, path)


def test_entries_of_two_forms_are_told_apart_by_a_key(tmp_path: Path) -> None:
    basket = _read(tmp_path, "fruits: [{core: 1}, {stem: 2}]")
    assert basket.fruits == [Apple(core=1), Pear(stem=2)]
    with pytest.raises(ValidationError, match="frozen"):
        basket.name = "other"


FAULTS = {
    "{name: a b, fruits: []}": r"basket\.yaml: name: found 'a b'; expected.*pattern",
    "{}": r"fruits: found nothing; expected a value: this key is required",
    "{fruits: [{core: 0}]}": r"fruits\[0\]\.core: found 0; expected greater than or equal to 1",
    "{fruits: [{stem: 1, leef: x}]}": r"fruits\[0\]\.leef: found an unknown key; expected one of "
    r"'stem', 'leaf'\. Did you mean 'leaf'\?",
    "{fruits: [{leef: x}]}": r"fruits\[0\]\.leef: found an unknown key",
    "{fruit: []}": r"fruit: found an unknown key; expected one of 'name', 'fruits'",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_names_its_key_without_the_tags_of_the_union(text: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=FAULTS[text]) as error:
        _read(tmp_path, text)
    assert "<" not in str(error.value)
