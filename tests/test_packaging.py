"""The package's requirements say the same everywhere."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> set[str]:
    """All but vLLM, which pins other versions of torch and transformers: it has an environment of
    its own."""
    groups = PROJECT["optional-dependencies"].items()
    extras = [r for name, group in groups if name != "vllm" for r in group]
    return {r for r in [*PROJECT["dependencies"], *extras] if not r.startswith(PROJECT["name"])}


def test_conda_environment_has_the_same_requirements() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert set(pip) - {"--editable ."} == requirements()
    assert f"python{PROJECT['requires-python']}" in environment["dependencies"]


def test_every_requirement_is_pinned_exactly() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {re.split("==", line)[0].lower().replace("_", "-") for line in lines}
    assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+", line) for line in lines)
    names = {re.split(r"[<>=]", r)[0].lower() for r in requirements()}
    assert names - pins == set()


def test_analysis_alone_needs_no_heavy_requirement() -> None:
    names = {re.split(r"[<>=]", r)[0].lower() for r in PROJECT["dependencies"]}
    assert not names & {"torch", "lm-eval", "transformers", "datasets", "accelerate"}
