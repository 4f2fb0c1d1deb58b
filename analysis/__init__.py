"""Reads the results of a study and computes; needs neither torch nor lm-eval nor a GPU.

from analysis import load_scores, correlations
scores = load_scores("runs/demo")
correlations(scores, contrasts_of("runs/demo"))
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "load_scores": "analysis.frame",
    "contrasts_of": "analysis.frame",
    "contrast_points": "analysis.points",
    "correlations": "analysis.estimates",
    "correlate": "analysis.correlation",
    "Correlation": "analysis.correlation",
    "Families": "analysis.families",
    "Interval": "analysis.intervals",
    "analyze_run": "analysis.run",
    "scatter_by_type": "analysis.figures.scatter",
    "forest": "analysis.figures.forest",
    "heat_map": "analysis.figures.heat_map",
    "controls": "analysis.figures.controls",
    "left_out": "analysis.figures.left_out",
    "item_overlap": "analysis.figures.item_overlap",
    "families_apart": "analysis.figures.families_apart",
    "shots": "analysis.figures.shots",
    "which_correlation": "analysis.figures.which_correlation",
    "power_curves": "analysis.figures.power_curves",
    "cell_models": "analysis.cell_model",
    "load_items": "analysis.items",
    "by_moments": "analysis.disattenuation",
    "by_halves": "analysis.halves",
    "by_likelihood": "analysis.likelihood",
    "bca": "analysis.resampling",
    "wild_test": "analysis.wild",
    "permutation_test": "analysis.permutation",
    "partial_correlation": "analysis.confounding",
    "within_between": "analysis.confounding",
    "meta_analysis": "analysis.meta",
    "mixed_model": "analysis.mixed",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
