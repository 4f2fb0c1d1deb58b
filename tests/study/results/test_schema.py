"""The columns that evaluation and analysis agree on."""

from __future__ import annotations

import pyarrow as pa
import pytest

from study.results import schema
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


FORMATS = {
    "SCORES": """
        pair:str family:str params_b:float model:str role:str arm:str task:str task_type:str
        exposure:str draw:Int64 score:float stderr:float n_items:Int64 chance:float metric:str
        source:str
    """,
    "CORRELATIONS": """
        contrast:str x_arm:str y_arm:str level:str task_type:str task:str estimand:str
        coefficient:str corrected:str n_pairs:Int64 n_families:Int64 n_tasks:Int64
        estimate:float low:float high:float p:float p_adjusted:float method:str covers:str
        note:str
    """,
    "ITEMS": """
        item:int64 score:float64 choice:int64
    """,
    "RESPONSES": """
        item:int64 prompt_hash:string shots:int64 truncated:bool logprobs:list<float64>
        greedy:list<bool> tokens:list<int64> bytes:list<int64> characters:list<int64>
        texts:list<string> thinking_tokens:list<int64> thinking_exhausted:list<bool>
    """,
    "QUESTIONS": """
        item:int64 question:string choices:list<string> gold:string passage:string
        factors:map<string,string>
    """,
}
"Columns with their types: files of earlier versions are read with these."


@pytest.mark.parametrize("name", FORMATS)
def test_columns_are_a_format(name: str) -> None:
    columns = [f"{column}:{kind}" for column, kind in getattr(schema, name).items()]
    assert columns == FORMATS[name].split()


def test_codes_of_texts_are_stored_and_never_change() -> None:
    """The first eight bytes of BLAKE2b with that length, as a signed number."""
    assert text_code("one passage") == 4354604489421247253
    assert EXPOSURES == ("seen_task", "unseen_task", "unseen_type", "")
