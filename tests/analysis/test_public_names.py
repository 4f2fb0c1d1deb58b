"""The public names of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import analysis


def test_analysis_comes_without_torch_and_lm_eval() -> None:
    code = (
        "import sys, analysis\n"
        "for name in analysis.__all__: getattr(analysis, name)\n"
        "heavy = {'torch', 'lm_eval', 'transformers', 'datasets'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_public_name_is_that_of_a_module() -> None:
    """A module that has been imported hides a function of the same name."""

    rooms = {path.stem for path in Path(analysis.__file__).parent.glob("*.py")}
    assert not rooms & set(analysis.__all__)
