"""A copy of a model of the zoo, which tests change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from study.models.pairs import zoo

BASE = Path(zoo()[0].base.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE, tmp_path / "model"))


def change_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
