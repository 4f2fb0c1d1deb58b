"""The columns that evaluation and analysis agree on."""

from __future__ import annotations

import pyarrow as pa

from study.results.run import Run
from study.results.schema import EXPOSURES, ITEMS, LEVELS, ROLES, text_code


def test_items_of_a_cell_have_the_columns_of_the_schema(small: Run) -> None:
    items = small.cells.items(min(small.cells.done()))
    assert items.column_names == list(ITEMS)
    for field, kind in zip(items.schema, ITEMS.values(), strict=True):
        assert str(field.type).replace("element: ", "").replace("double", "float64") == kind
    assert isinstance(items, pa.Table)


def test_a_text_code_is_of_the_words() -> None:
    assert text_code("one  passage") == text_code("one passage\n")
    assert text_code("one passage") != text_code("onepassage")
    assert text_code("one passage") != text_code("One passage")
    assert -(2**63) <= text_code("any") < 2**63


def test_values_that_users_see() -> None:
    assert ROLES == ("base", "tuned")
    assert LEVELS == ("overall", "type", "task")
    assert EXPOSURES[0] == "seen_task"
