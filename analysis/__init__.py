"""Analysis of a study's results; needs neither torch nor lm-eval nor a GPU.

    from analysis import contrasts_of, correlations, load_scores, scatter_by_type

    scores = load_scores("runs/demo")
    correlations(scores, contrasts_of("runs/demo"))
    scatter_by_type(scores, x_arm="base-5shot", y_arm="tuned-0shot-chat")

The public names are the functions of all tables (analysis.tables.TABLES) and figures
(analysis.figures.FIGURES), and those of `DATA_AND_STATISTICS`. Modules are loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

DATA_AND_STATISTICS = {
    "analysis.pipeline": ("analyze_run",),
    "analysis.data.scores": ("load_scores", "contrasts_of", "with_clustered_errors"),
    "analysis.data.items": ("ItemScores", "AlignedItems", "load_items"),
    "analysis.data.points": ("contrast_points", "groups"),
    "analysis.data.error_variance": ("group_error_variance",),
    "analysis.data.loss_curves": ("loss_curves",),
    "analysis.statistics.families": ("Families",),
    "analysis.statistics.interval": ("Interval",),
    "analysis.statistics.power": ("power",),
    "analysis.statistics.correlation.correlate": ("Correlation", "correlate"),
    "analysis.statistics.correlation.dependent": (
        "bonett_wright_interval",
        "dunn_clark",
        "fisher_interval",
        "independent",
        "meng",
        "steiger",
        "steiger_nonoverlapping",
        "williams",
        "zou",
    ),
    "analysis.statistics.correlation.equivalence": ("equivalence",),
    "analysis.statistics.correlation.partial": ("partial_correlation",),
    "analysis.statistics.correlation.within_between": ("within_between",),
    "analysis.statistics.disattenuation.disattenuate": (
        "disattenuate",
        "disattenuate_by_halves",
        "latent_scores",
    ),
    "analysis.statistics.disattenuation.error_variance": ("variance_components",),
    "analysis.statistics.disattenuation.likelihood": ("by_likelihood",),
    "analysis.statistics.disattenuation.moments": (
        "by_moments",
        "error_covariance",
        "reliability",
        "spearman_correction",
    ),
    "analysis.statistics.disattenuation.split_halves": ("by_halves",),
    "analysis.statistics.items.agreement": (
        "agreement",
        "error_consistency",
        "item_bootstrap",
        "mcnemar_p",
        "only_tuned",
        "same_wrong_answer",
    ),
    "analysis.statistics.items.clustered_errors": ("paired_standard_error", "standard_error"),
    "analysis.statistics.items.sampling": (
        "detectable_difference",
        "empirical_logit",
        "items_needed",
        "pairs_needed",
        "wilson_interval",
    ),
    "analysis.statistics.multilevel.meta_analysis": ("meta_analysis",),
    "analysis.statistics.multilevel.mixed_model": ("Term", "mixed_model"),
    "analysis.statistics.resampling.bca": ("bca",),
    "analysis.statistics.resampling.hotelling": ("hotelling_test",),
    "analysis.statistics.resampling.jackknife": ("family_jackknife", "fisher_z"),
    "analysis.statistics.resampling.permutation": ("permutation_test",),
    "analysis.statistics.resampling.wild_bootstrap": ("wild_test",),
    "analysis.tables.cell_model": ("cell_model",),
    "analysis.figures.power_curves": ("power_curves",),
}
"Public names by module, other than the tables and figures of a run."
_MODULES = {name: module for module, names in DATA_AND_STATISTICS.items() for name in names}


def _tables() -> dict[str, Any]:
    """The functions of all tables, by name."""
    from analysis.tables import TABLES

    return {table.function.__name__: table.function for table in TABLES}


def _figures() -> dict[str, Any]:
    """The functions of all figures, by name; this imports matplotlib."""
    from analysis.figures import FIGURES

    return {figure.function.__name__: figure.function for figure in FIGURES}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    for functions in (_tables, _figures) if not name.startswith("_") else ():
        if name in (registered := functions()):
            return registered[name]
    raise AttributeError(f"module 'analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_MODULES, *_tables(), *_figures()})
