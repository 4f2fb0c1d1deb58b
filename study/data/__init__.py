"""Data files of the package: the registry of real pairs and the task suites."""

from __future__ import annotations

from pathlib import Path

REGISTRY = Path(__file__).parent / "registry.csv"
"Known (base, tuned) pairs, one row each."
SUITES = Path(__file__).parent / "suites"
"Task suites, one YAML file each."
