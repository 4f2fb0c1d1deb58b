"""The range of a metric: which numbers can be scores.

In: a task, its metric, what the study and the user say about ranges. Out: the range of its scores.
Scores are fractions in which 1 is the best; metrics that are corrected for chance may be negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from study.config.study import Study
from study.config.tasks import ListedTask, checked_range
from study.errors import StudyError
from study.tasks.suites import study_tasks

Range = tuple[float, float]
"The lowest and the highest score that a metric can give, after scaling."
FRACTION: Range = (0.0, 1.0)
CORRELATION: Range = (-1.0, 1.0)
_FRACTIONS = """
acc acc_norm acc_bytes acc_all acc_mutual_info accuracy bleu char_f1 chrf em
em_first errant_f05 exact_match exact_match_cot f1 f1_macro f1_micro inst_level_loose_acc
inst_level_strict_acc macro_f1 mc1 mc2 pass@1 pass_at_1 prefix_match prompt_level_loose_acc
prompt_level_strict_acc quasi_exact_match quasi_prefix_match rouge1 rouge2 rougel rougel_max
rougelsum
""".split()
_CORRELATIONS = """
cohen_kappa informedness kappa kendalltau matthews_corrcoef matthews_correlation mcc pearson
pearsonr phi spearman spearmanr
""".split()
_ERRORS = """
bits_per_byte brier_score byte_perplexity cer loss nll perplexity ter wer word_perplexity
""".split()
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(_FRACTIONS, FRACTION),
    **dict.fromkeys(_CORRELATIONS, CORRELATION),
}
"Ranges of metrics of lm-eval and of leaderboards, by name in small letters, without a filter."


@dataclass(frozen=True)
class ScoreRanges:
    """What is known about the ranges of scores."""

    tasks: Mapping[str, ListedTask] = field(default_factory=dict)
    "Tasks of the study, by name; their `range` comes first."
    otherwise: Range = FRACTION
    "Range of the metrics that are not in `RANGES`, as the user says."

    @classmethod
    def of(cls, study: Study, otherwise: Range = FRACTION) -> ScoreRanges:
        """The ranges of a study's tasks; StudyError if `otherwise` is no range."""
        try:
            checked_range(list(otherwise))
        except ValueError as error:
            raise StudyError("--range", found=otherwise, expected=str(error)) from None
        tasks = study_tasks(study) if study.tasks else ()
        return cls({task.task: task for task in tasks}, otherwise)

    def range_of(self, task: str, metric: str) -> Range:
        """The range of a task's scores in a metric."""
        listed = self.tasks.get(task)
        if listed is not None and listed.range is not None:
            low, high = listed.range
            return low, high
        return RANGES.get(_plain(metric), self.otherwise)

    def problem(self, score: float, task: str, metric: str) -> str:
        """What is wrong with a score, as what is expected in its place; '' if nothing is."""
        if _plain(metric) in _ERRORS:
            return "a metric in which more is better"
        low, high = self.range_of(task, metric)
        if low <= score <= high:
            return ""
        return (
            f"a score of {metric!r} from {low:g} to {high:g}"
            if metric
            else (f"a score from {low:g} to {high:g}")
        )

    def remedy(self, metric: str) -> str:
        """How to say that a metric has another range."""
        option = "" if _plain(metric) in RANGES else "the option `--range LOWEST HIGHEST`, or "
        return f"Another range needs {option}`range` in the task's entry in study.yaml"


def _plain(metric: str) -> str:
    """The metric's name without a filter (`acc,none`) or a qualifier (`acc|best_prompt`)."""
    return metric.partition(",")[0].partition("|")[0].strip().lower()
