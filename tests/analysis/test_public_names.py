"""The public names of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import analysis
from analysis.figures import FIGURES
from analysis.tables import TABLES


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_no_public_name_needs_torch_or_lm_eval() -> None:
    code = (
        "import sys, analysis\n"
        "for name in analysis.__all__: getattr(analysis, name)\n"
        "print(sorted({'torch', 'lm_eval', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_the_import_itself_loads_nothing_heavy() -> None:
    code = (
        "import sys, analysis\n"
        "print(sorted({'numpy', 'pandas', 'scipy', 'matplotlib', 'pydantic'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_tables_load_neither_matplotlib_nor_what_is_slow_to_import() -> None:
    code = (
        "import sys, analysis, analysis.pipeline\n"
        "analysis.correlations, analysis.item_agreement\n"
        "print(sorted({'matplotlib', 'scipy.stats', 'statsmodels'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_every_table_and_figure_is_public() -> None:
    for entry in (*TABLES, *FIGURES):
        name = entry.function.__name__  # type: ignore[attr-defined]
        assert name in analysis.__all__
        assert getattr(analysis, name) is entry.function  # type: ignore[attr-defined]


def test_no_public_name_is_that_of_a_module() -> None:
    """A module that has been imported would hide a function of the same name."""
    rooms = {path.stem for path in Path(analysis.__file__).parent.iterdir()}
    assert not rooms & set(analysis.__all__)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'corelate'"):
        analysis.corelate  # noqa: B018
    assert analysis.__all__ == dir(analysis)
