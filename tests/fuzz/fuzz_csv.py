"""CSV files of scores: cells, headers, rows and bytes changed at random, read by `study import`.

An accepted file is read again by a reader that shares no code with the study's: it must hold the
same cells, and every cell must say what its column means.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from analysis import load_scores
from study.cli.result_commands import export, import_scores
from study.models.pairs import registry
from study.results.schema import SCORES
from tests.fuzz.fuzzer import Fuzzer, Mutant
from tests.fuzz.mutations import NASTY, changed_bytes

FILE = "scores.csv"
STUDY = """
name: published
contrasts: [{name: in-context, x: base-5shot, y: tuned-5shot}]
imported_arms: {mixed: {role: base, description: shots differ between tasks}}
"""
WORDS = (
    "NA", "nan", "null", "None", "true", "007", "2.10", "1e5", "-0", "+1", "=1+1", "@a", "-b",
    "0x1f", "1_000", "٣", "５", "inf", "-inf", "1e999", "1e-400", "1.", ".5", "1,5", "0.5 ",
    " 0.5", "1e3", "9007199254740993", "3.0", "3.5", "-1", "0", "1", "71.3", "1.0000001", "-0.2",
    "", " ", "  ", "a b", "ü", "e\u0301", "模型", "\u200b", "\u202ea", "a\tb", "a\nb", "a\r",
    "\x1b[31m", "a\x00b", "'", '"', 'a"b', "a,b", "x" * 999, "x" * 1001, "y" * 200_000, "base",
    "tuned", "Base", "mcc", "acc", "brier_score", "base-5shot", "base-icl", "tuned", "mixed",
    "base-05shot", "base-5shot-fields", "base-٥shot", "tuned-0shot-chat", "base-0shot-chat",
    "seen_task", "unseen", "../..", "/abs", "..", "NaN", "1E-3",
)  # fmt: skip
"Cells that are often read as something else."


class CsvFuzzer(Fuzzer):
    """Files of scores for `study import`."""

    name = "csv"

    def prepare(self, folder: Path) -> None:
        (folder / "study.yaml").write_text(STUDY)
        (folder / FILE).write_bytes(_as_csv(_table()))

    def mutant(self, random: Random) -> Mutant:
        table = _table()
        if random.random() < 0.3:
            data, change, invalid = changed_bytes(_as_csv(table), random)
            return Mutant(change, {FILE: data}, invalid=invalid)
        changes = [random.choice(CELL_CHANGES + SHAPE_CHANGES)(table, random)]
        if random.random() < 0.25:
            table = _table()
            changes = [random.choice(CELL_CHANGES)(table, random) for _ in range(2)]
        return Mutant("; ".join(changes), {FILE: _as_csv(table, random)})

    def read(self, folder: Path, mutant: Mutant) -> None:
        shutil.rmtree(folder / "results", ignore_errors=True)
        shutil.rmtree(folder / "exported", ignore_errors=True)
        import_scores(folder, [folder / FILE])
        scores = load_scores(folder)
        expected = _reference(mutant.files[FILE] or b"")
        assert len(scores) == len(expected), f"{len(scores)} rows of {len(expected)}"
        for row, cells in zip(scores.to_dict("records"), expected, strict=True):
            _check_row({str(name): value for name, value in row.items()}, cells)
        export(folder, folder / "exported")
        _check_export(folder / "exported", scores)


def _table() -> list[list[str]]:
    """A header and valid rows: pairs of the registry and others, with all columns."""
    rows = [list(SCORES)]
    known = registry()[0]
    for pair, family, size in (("NA", "f", "1.5"), ("007", "g", "7"), (known.name, "", "")):
        for role in ("base", "tuned"):
            for task, task_type, chance in (("t", "facts", "0.25"), ("true", "maths", "0")):
                score = f"0.{len(rows) + 30}"
                rows.append(
                    [pair, family, size, f"{pair}/{role}", role, f"{role}-5shot", task, task_type,
                     "", "0", score, "0.01", "100", chance, "acc", "a table"]
                )  # fmt: skip
    return rows


def _replace(table: list[list[str]], random: Random) -> str:
    row = random.choice(table[1:])
    column = random.randrange(len(row))
    row[column] = random.choice((*WORDS, *(str(v) for v in NASTY if not isinstance(v, int))))
    return f"{table[0][column]!r:.40} replaced by {row[column]!r:.40}"


def _replace_column(table: list[list[str]], random: Random) -> str:
    column, word = random.randrange(len(table[0])), random.choice(WORDS)
    for row in table[1:]:
        row[column] = word
    return f"all of {table[0][column]!r:.40} replaced by {word!r:.40}"


NUMBERS = [name for name, kind in SCORES.items() if kind != "str"]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def _respell(table: list[list[str]], random: Random) -> str:
    """A number in other characters, which some readers take for the same."""
    column = table[0].index(random.choice(NUMBERS))
    row = random.choice(table[1:])
    value = row[column] or "1"
    spellings = (f" {value}", f"{value} ", f"+{value}", f"{value}_0", value.translate(ARABIC))
    row[column] = random.choice(
        (
            *spellings,
            f"{value}e0",
            f"{value}E+00",
            f"0{value}",
            f"'{value}",
            f"{value}f",
            f"-{value}",
        )
    )
    return f"{table[0][column]} spelt {row[column]!r}"


def _empty_column(table: list[list[str]], random: Random) -> str:
    """A column without values, most often that of models, whose names exports need."""
    name = random.choice(("model", "model", *SCORES))
    for row in table[1:]:
        row[table[0].index(name)] = ""
    return f"{name} is empty"


def _rename_in_all_rows(table: list[list[str]], random: Random) -> str:
    """A name replaced wherever it stands, which is often still valid."""
    column = table[0].index(random.choice(("pair", "model", "task", "family", "source", "metric")))
    old, new = random.choice(table[1:])[column], random.choice(WORDS)
    for row in table[1:]:
        row[column] = new if row[column] == old else row[column]
    return f"{table[0][column]} {old!r} renamed to {new!r:.40}"


def _drop_column(table: list[list[str]], random: Random) -> str:
    column = random.randrange(len(table[0]))
    name = table[0][column]
    for row in table:
        del row[column]
    return f"{name} dropped"


def _rename_column(table: list[list[str]], random: Random) -> str:
    column = random.randrange(len(table[0]))
    name, table[0][column] = table[0][column], random.choice((*WORDS, *SCORES))
    return f"column {name} renamed to {table[0][column]!r:.40}"


def _repeat_column(table: list[list[str]], random: Random) -> str:
    column = random.randrange(len(table[0]))
    for row in table:
        row.insert(random.choice((column, len(row))), row[column])
    return f"{table[0][column]} twice"


def _move_column(table: list[list[str]], random: Random) -> str:
    column = random.randrange(len(table[0]))
    for row in table:
        row.append(row.pop(column))
    return f"{table[0][-1]} at the end"


def _ragged(table: list[list[str]], random: Random) -> str:
    row = random.choice(table)
    if random.random() < 0.5:
        row.append("")
        return "a cell more"
    del row[-1]
    return "a cell less"


def _repeat_row(table: list[list[str]], random: Random) -> str:
    row = list(random.choice(table[1:]))
    table.insert(random.randrange(1, len(table)), row)
    if random.random() < 0.5:
        row[random.randrange(len(row))] = random.choice(WORDS)
    return "a row twice"


def _shuffle(table: list[list[str]], random: Random) -> str:
    rows = table[1:]
    random.shuffle(rows)
    table[1:] = rows
    return "rows in another order"


CELL_CHANGES = (
    *[_replace] * 6,
    _replace_column,
    *[_respell] * 2,
    _empty_column,
    *[_rename_in_all_rows] * 3,
)
SHAPE_CHANGES = (
    _drop_column,
    _rename_column,
    _repeat_column,
    _move_column,
    _ragged,
    _repeat_row,
    _shuffle,
)


def _as_csv(table: list[list[str]], random: Random | None = None) -> bytes:
    file = io.StringIO(newline="")
    quoting = csv.QUOTE_MINIMAL if random is None or random.random() < 0.7 else csv.QUOTE_ALL
    end = "\n" if random is None or random.random() < 0.7 else "\r\n"
    csv.writer(file, lineterminator=end, quoting=quoting).writerows(table)
    text = file.getvalue()
    if random is not None and random.random() < 0.1:
        text = "\ufeff" + text
    return text.encode("utf-8", "surrogatepass")


def _reference(data: bytes) -> list[dict[str, str]]:
    """The rows by RFC 4180, character by character."""
    text = data.decode()
    text = text[1:] if text.startswith("\ufeff") else text
    rows, row, cell, quoted, index = [], [], "", False, 0
    while index < len(text):
        char = text[index]
        if quoted:
            if char == '"' and text[index + 1 : index + 2] == '"':
                cell, index = cell + '"', index + 1
            elif char == '"':
                quoted = False
            else:
                cell += char
        elif char == '"' and not cell:
            quoted = True
        elif char == ",":
            row, cell = [*row, cell], ""
        elif char in "\r\n":
            rows, row, cell = [*rows, [*row, cell]], [], ""
        else:
            cell += char
        index += 1
    rows.append([*row, cell])
    header, *body = [row for row in rows if row != [""]]
    assert len(set(header)) == len(header), "a column twice"
    assert all(len(row) == len(header) for row in body), "a row of another length"
    return [dict(zip(header, row, strict=True)) for row in body]


def _check_row(row: dict[str, Any], cells: dict[str, str]) -> None:
    """A row of the study says what the cells say."""
    known = {pair.name: pair for pair in registry()}.get(cells["pair"])
    for name, kind in SCORES.items():
        cell, value = cells.get(name, ""), row[name]
        if not cell and name in ("family", "params_b") and known is not None:
            assert value == getattr(known, name), (name, value)
        elif kind == "str":
            assert value == cell, (name, value, cell)
            assert all(char.isprintable() for char in cell), (name, cell)
        elif not cell:
            assert pd.isna(value), (name, value)
        else:
            assert re.fullmatch(r"-?[0-9]*\.?[0-9]*([eE][-+]?[0-9]+)?", cell), (name, cell)
            assert math.isfinite(value), (name, value)
            assert value == float(Decimal(cell)), (name, value, cell)
            assert kind == "float" or Decimal(cell) == int(value), (name, value, cell)
    low = -1 if row["metric"] in ("mcc",) else 0
    assert low <= row["score"] <= 1, row["score"]
    assert row["metric"] != "brier_score"
    assert row["role"] in ("base", "tuned")
    assert row["arm"].isascii()
    assert row["arm"].startswith(row["role"]) or (row["arm"], row["role"]) == ("mixed", "base")
    assert row["family"]
    for name, least in (
        ("stderr", 0),
        ("draw", 0),
        ("n_items", 1),
        ("chance", 0),
        ("params_b", 1e-300),
    ):
        assert pd.isna(row[name]) or row[name] >= least, (name, row[name])


def _check_export(folder: Path, scores: pd.DataFrame) -> None:
    """Everything is inside the folder, and every score is there once for each model."""
    for path in folder.rglob("*"):
        assert path.resolve().is_relative_to(folder.resolve()), path
    exported = 0
    for path in folder.glob("*/results_*.json"):
        exported += len(json.loads(path.read_text())["results"])
    named = scores["model"].where(scores["model"] != "", scores["pair"] + "/" + scores["role"])
    columns = ["arm", "task", "draw", "score", "stderr", "n_items", "chance", "metric", "source"]
    distinct = scores.assign(owner=named, named=scores["model"] != "").drop_duplicates(
        ["owner", "named", "task_type", *columns]
    )
    assert exported == len(distinct), (exported, len(distinct))
