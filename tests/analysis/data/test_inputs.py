"""Inputs of tables and figures by name."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.data.inputs import Inputs, needs
from analysis.data.items import ItemScores
from analysis.figures import FIGURES
from analysis.tables import TABLES
from study.results.run import Run
from tests.analysis.samples import CONTRASTS, X, Y


@pytest.fixture
def inputs(imported_run: Run, scores: pd.DataFrame) -> Inputs:
    return Inputs(imported_run, scores, ItemScores({}), CONTRASTS, CONTRASTS[0])


def test_arguments_are_found_by_name(inputs: Inputs) -> None:
    arguments = inputs.arguments(needs("scores", "x_arm", contrast="contrast_name"))
    assert arguments == {"scores": inputs.scores, "x_arm": X, "contrast": "in-context"}
    other = inputs.for_contrast(CONTRASTS[1])
    assert (other.x_arm, other.y_arm, other.contrast_name) == ("base-0shot", Y, "zero-shot")
    assert inputs.arms == [X, "base-0shot", Y]
    assert inputs.equivalence_bound == 0.3


def test_tables_are_inputs_once_they_are_computed(inputs: Inputs) -> None:
    table = pd.DataFrame({"a": [1]})
    assert not inputs.has_rows("correlations")
    inputs.tables["correlations"] = table
    assert inputs.has_rows("correlations")
    assert inputs.arguments(needs("correlations"))["correlations"] is table


def test_every_declared_input_exists() -> None:
    computed: set[str] = set()
    known = {name for name in dir(Inputs) if not name.startswith("_")}
    known |= set(Inputs.__dataclass_fields__)
    for table in TABLES:
        assert set(table.inputs.values()) <= known | computed, table.name
        computed.add(table.name)
    for figure in FIGURES:
        assert set(figure.inputs.values()) <= known | computed, figure.name
