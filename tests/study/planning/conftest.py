"""A hub on this machine, with two models and a data set; and this process as its client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from study.models.pairs import zoo
from tests.study.planning.hub import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    models = {}
    for role in ("base", "tuned"):
        models[f"zoo/{role}"] = tmp_path / "hub" / role
        shutil.copytree(zoo()[0].member(role).path, models[f"zoo/{role}"])
        (models[f"zoo/{role}"] / "README.md").write_text("not fetched")
        (models[f"zoo/{role}"] / "consolidated.safetensors").write_bytes(b"not fetched either")
    colours = tmp_path / "hub" / "colours"
    colours.mkdir()
    (colours / "README.md").write_text("---\nlicense: mit\n---\n")
    for split in ("train", "test"):
        rows = {"word": [f"{split} {i}" for i in range(20)], "gold": [i % 2 for i in range(20)]}
        pd.DataFrame(rows).to_json(colours / f"{split}.jsonl", orient="records", lines=True)
    hub = Hub(models, {"org/colours": colours})
    yield hub
    hub.stop()


@pytest.fixture
def online(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub as the one that this process fetches models from, with an empty cache."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    close_session()
    yield hub
    close_session()
