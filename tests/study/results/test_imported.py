"""Scores measured elsewhere: committed whole, each once, and none that contradict each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.errors import StudyError
from study.results.imported import (
    Imported,
    _File,
    check_unique,
    digest_of,
    read_imports,
    typed,
    write_import,
)
from study.results.schema import SCORES

ROW: dict[str, Any] = {
    "pair": "p",
    "family": "f",
    "params_b": 1.5,
    "role": "base",
    "arm": "base-5shot",
    "task": "t",
    "task_type": "facts",
    "draw": 0,
    "score": 0.1 + 0.2,
    "chance": 0.25,
}


def imported(digest: str = "d" * 64, origin: str = "scores.csv", **changes: Any) -> Imported:
    rows = typed(pd.DataFrame([{**ROW, **changes}]))
    items = {"0": {"item": [0, 1], "score": [1.0, 0.0], "choice": None}}
    return Imported(origin, digest, "long form", rows, items, {"t": {0: -7, 1: -7}})  # type: ignore[arg-type]


def test_written_and_read(tmp_path: Path) -> None:
    source = imported()
    path = write_import(tmp_path, source, ())
    assert path.name == f"{'d' * 16}.json"
    (copy,) = read_imports(tmp_path)
    pd.testing.assert_frame_equal(copy.rows, source.rows, check_exact=True)
    assert (copy.origin, copy.digest, copy.form) == ("scores.csv", "d" * 64, "long form")
    assert copy.items == source.items
    assert copy.passages == {"t": {0: -7, 1: -7}}


def test_a_stored_import_that_was_changed_is_corrupted(tmp_path: Path) -> None:
    path = write_import(tmp_path, imported(), ())
    whole = path.read_bytes()
    assert set(json.loads(whole)) - {"sha256"} == set(_File.model_fields)
    for old, new in ((b"0.25", b"0.35"), (b'"score": [1.0', b'"score": [0.0'), (b"-7", b"-8")):
        assert whole.count(old)
        path.write_bytes(whole.replace(old, new, 1))
        with pytest.raises(StudyError, match=r"another sha256 .*import its source again"):
            list(read_imports(tmp_path))
    path.write_bytes(whole[:-1] + b" }")
    with pytest.raises(StudyError, match="sha256: Extra inputs"):
        list(read_imports(tmp_path))


def test_a_stored_import_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = write_import(tmp_path, imported(), ())
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))
    (copy,) = read_imports(tmp_path)
    pd.testing.assert_frame_equal(copy.rows, imported().rows, check_exact=True)


def test_imports_are_in_the_order_of_their_digests(tmp_path: Path) -> None:
    write_import(tmp_path, imported("b" * 64), ())
    write_import(tmp_path, imported("a" * 64, draw=1), read_imports(tmp_path))
    assert [source.digest[0] for source in read_imports(tmp_path)] == ["a", "b"]
    assert list(read_imports(tmp_path / "nothing")) == []


def test_a_source_is_imported_once(tmp_path: Path) -> None:
    path = write_import(tmp_path, imported(), ())
    with pytest.raises(StudyError, match=r"imported already; .*Delete results/imports/d{16}\.json"):
        write_import(tmp_path, imported(), read_imports(tmp_path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, r"b\.csv and a\.csv: pair=p, role=base, .*draw=0: found a duplicate: 2 rows"),
        ({"score": 0.9}, "found a contradiction: 2 rows with score 0.30000000000000004 and 0.9"),
        ({"draw": 1, "chance": 0.5}, r"task=t: chance: found 0\.25 and 0\.5; expected one chance"),
        ({"draw": 1, "family": "g"}, "pair=p: family: found f and g; expected one family"),
        ({"draw": 1, "params_b": 7.0}, r"pair=p: params_b: found 1\.5 and 7\.0"),
        ({"draw": 1, "task_type": "maths"}, "task=t: task_type: found facts and maths"),
    ],
)
def test_contradicting_scores_are_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    write_import(tmp_path, imported("a" * 64, "a.csv"), ())
    with pytest.raises(StudyError, match=words):
        write_import(tmp_path, imported("b" * 64, "b.csv", **changes), read_imports(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_unknown_values_do_not_contradict_known_ones() -> None:
    tables = [imported().rows, imported(draw=1, params_b=np.nan, chance=np.nan).rows]
    check_unique([rows.assign(_origin="o") for rows in tables])


def test_rows_without_a_draw_are_duplicates_of_each_other() -> None:
    rows = imported(draw=None).rows.assign(_origin="o")
    with pytest.raises(StudyError, match="found a duplicate: 2 rows"):
        check_unique([rows, rows])


def _corrupted(**changes: Any) -> bytes:
    """The file of an import with other values."""
    rows = imported().rows.to_csv(index=False)
    content = {"origin": "o", "digest": "d", "form": "f", "rows": rows, "items": {}, "passages": {}}
    return json.dumps({**content, **changes}).encode()


ITEMS = {"item": [0], "score": [1.0], "choice": None}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"origin": "o"}).encode(),
        _corrupted(rows="pair\np\n"),
        _corrupted(rows=7),
        _corrupted(rows=imported().rows.to_csv(index=False).replace("1.5", "1_5")),
        _corrupted(rows=imported().rows.to_csv(index=False).replace(",0,", ",half,")),
        _corrupted(items={"1": ITEMS}),
        _corrupted(items={"-1": ITEMS}),
        _corrupted(items={"0": {**ITEMS, "score": []}}),
        _corrupted(items={"0": {"item": [0]}}),
        _corrupted(passages=[]),
    ],
)
def test_a_corrupted_import_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(StudyError, match=r"x\.json: found no import .*Delete it and import"):
        list(read_imports(tmp_path))


def test_an_import_that_cannot_be_read_is_not_corrupted(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(StudyError, match="found Is a directory; expected a readable file"):
        list(read_imports(tmp_path))


@pytest.mark.parametrize("name", ["NA", "nan", "007", "2.10", "true", "1e5", "", 'a,"b'])
def test_names_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    source = imported(model=name, source=name)
    write_import(tmp_path, source, ())
    (copy,) = read_imports(tmp_path)
    assert copy.rows["model"].tolist() == [name]
    pd.testing.assert_frame_equal(copy.rows, source.rows, check_exact=True)


def test_types_and_columns_are_those_of_the_schema() -> None:
    rows = typed(pd.DataFrame([{"pair": "p", "score": 1, "draw": 2}]))
    assert list(rows.columns) == list(SCORES)
    assert rows["family"].tolist() == [""]
    assert rows["score"].dtype == float
    assert str(rows["draw"].dtype) == "Int64"
    assert rows["n_items"].isna().all()
    assert rows["chance"].isna().all()


def test_the_digest_is_of_the_content_in_order(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"a")
    b.write_bytes(b"b")
    assert digest_of([a, b]) != digest_of([b, a])
    copy = tmp_path / "c"
    copy.write_bytes(b"a")
    assert digest_of([a, b]) == digest_of([copy, b])
