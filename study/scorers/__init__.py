"""Scorers: how a response becomes a number, one module each.

To add one: write a module with a subclass of `Scorer`, and add an instance of it to `SCORERS`. The
key `answers.choose` of study.yaml then accepts its name. `task` is not in the list: it leaves
scoring to each task's own metric (task_metric.py).
"""

from __future__ import annotations

from study.config.scorers import TASK_METRIC
from study.config.study import Study
from study.errors import listed, nearest
from study.scorers.base import Scorer
from study.scorers.exact_match import ExactMatch
from study.scorers.option_similarity import OptionSimilarity

__all__ = ["SCORERS", "Scorer", "study_scorer"]

SCORERS: tuple[Scorer, ...] = (ExactMatch(), OptionSimilarity())


def study_scorer(study: Study) -> Scorer | None:
    """The scorer that a study chooses; None where each task's own metric scores.

    StudyError if no scorer of that name is registered.
    """
    if study.answers.choose == TASK_METRIC:
        return None
    for scorer in SCORERS:
        if scorer.name == study.answers.choose:
            return scorer
    names = [TASK_METRIC, *(scorer.name for scorer in SCORERS)]
    raise study.error(
        "answers.choose",
        found=repr(study.answers.choose),
        expected=f"one of {listed(names)}",
        do=nearest(study.answers.choose, names),
    )
