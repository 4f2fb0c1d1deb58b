"""Reads the results of a study and computes; needs neither torch nor lm-eval nor a GPU.

from analysis import load_scores, correlations
scores = load_scores("runs/demo")
correlations(scores, contrasts_of("runs/demo"))
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "load_scores": "analysis.data.scores",
    "contrasts_of": "analysis.data.scores",
    "contrast_points": "analysis.data.points",
    "correlations": "analysis.tables.correlations",
    "correlate": "analysis.statistics.correlation.correlate",
    "Correlation": "analysis.statistics.correlation.correlate",
    "Families": "analysis.data.families",
    "Interval": "analysis.statistics.interval",
    "analyze_run": "analysis.pipeline",
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
    "cell_models": "analysis.tables.cell_model",
    "load_items": "analysis.data.items",
    "by_moments": "analysis.statistics.disattenuation.moments",
    "by_halves": "analysis.statistics.disattenuation.split_halves",
    "by_likelihood": "analysis.statistics.disattenuation.likelihood",
    "bca": "analysis.statistics.resampling.bca",
    "wild_test": "analysis.statistics.resampling.wild_bootstrap",
    "permutation_test": "analysis.statistics.resampling.permutation",
    "partial_correlation": "analysis.statistics.correlation.partial",
    "within_between": "analysis.statistics.correlation.partial",
    "meta_analysis": "analysis.statistics.multilevel.meta_analysis",
    "mixed_model": "analysis.statistics.multilevel.mixed_model",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
