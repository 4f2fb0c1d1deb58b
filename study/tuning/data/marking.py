"""Marks the turns that a context indicator chooses.

In: the rows of a recipe, its `Indicator`. Out: `Marking`, which marks each row: a marker at the end
of the user turn before a chosen assistant turn, or a higher weight of that assistant turn.

The two controls choose as many turns as the score does: random ones, or those with the longest user
turns, since the score is correlated with length.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Indicator
from study.models.tokenizers import TokenizerOverrides, load_tokenizer
from study.tasks.prompt_forms.marked import with_marker
from study.tuning.data.context_indicator import (
    load_seed_model,
    score_turns,
    seed_model_facts,
    seed_rendering,
)
from study.tuning.data.mixing import Row, mix_rows
from study.tuning.data.sources import Pool, Turn


@dataclass(frozen=True)
class Marking:
    """The turns that an indicator marks in the rows of a mixture."""

    indicator: Indicator
    chosen: tuple[frozenset[int], ...]
    "By the row's index in the mixture, the indices of the assistant turns that are marked."
    scores: tuple[tuple[str, float, bool], ...] = ()
    "(source, score, whether marked) of every scored turn."

    def table(self) -> str:
        """The scores as CSV."""
        lines = [f"{source},{score!r},{int(marked)}" for source, score, marked in self.scores]
        return "\n".join(["source,score,marked", *lines]) + "\n"

    def apply(self, index: int, row: Row) -> tuple[tuple[Turn, ...], np.ndarray | None, int]:
        """Mark the row with this index in the mixture.

        Returns its turns, the weight [turns] of each turn's output (None if all are equal), and the
        number of marked turns.
        """
        chosen = self.chosen[index]
        if self.indicator.marked == "weight":
            emphasis = np.ones(len(row.turns))
            emphasis[list(chosen)] = self.indicator.weight
            return row.turns, emphasis, len(chosen)
        marked = {_user_turn_before(row.turns, i) for i in chosen}
        turns = tuple(
            Turn(turn.role, with_marker(turn.content, self.indicator.marker))
            if i in marked
            else turn
            for i, turn in enumerate(row.turns)
        )
        return turns, None, len(chosen)


def mark_turns(
    recipe: Recipe,
    study: Study,
    pools: Sequence[Pool],
    device: str,
    report: Callable[[str], object] = lambda what: None,
) -> Marking | None:
    """Score the rows of a recipe with its seed model and choose turns; None if the recipe has no
    indicator.

    StudyError if the seed model is not here, or the mixture has no fixed number of rows.
    """
    facts = seed_model_facts(recipe, study)
    if recipe.indicator is None or facts is None:
        return None
    if recipe.mixture.rows is None:
        raise study.error(
            recipe.mixture_key,
            found="a number of tokens, and an indicator",
            expected="a number of rows: turns are chosen among all of them",
        )
    rows = list(mix_rows(recipe.mixture, pools, recipe.format, study.layout, recipe.seed))
    scores = score_turns(
        [row.turns for row in rows],
        load_seed_model(str(facts.folder), device, trust_remote_code=study.trust_remote_code),
        load_tokenizer(
            facts.folder,
            TokenizerOverrides(recipe.template, trust_remote_code=study.trust_remote_code),
        ),
        seed_rendering(recipe, facts, study),
        layer=recipe.indicator.layer,
        heads=recipe.indicator.heads,
        on_batch=lambda done: report(f"scored {done} of {len(rows)} conversations"),
    )
    return choose_turns(recipe.indicator, rows, scores, recipe.seed)


def choose_turns(
    indicator: Indicator, rows: Sequence[Row], scores: Sequence[Mapping[int, float]], seed: int
) -> Marking:
    """The turns among `rows` that the indicator marks, given each row's scores by turn."""
    # Turns are identified by the row's index: among equal rows, each is chosen separately.
    turns = [(index, turn) for index, row_scores in enumerate(scores) for turn in row_scores]
    values = [value for row_scores in scores for value in row_scores.values()]
    dependent = [
        turn for turn, value in zip(turns, values, strict=True) if value > indicator.threshold
    ]
    chosen = set(dependent)
    if indicator.choose == "random":
        chosen = set(random.Random(f"marks {seed}").sample(turns, len(dependent)))
    elif indicator.choose == "length":
        by_length = sorted(
            turns, key=lambda turn: (-_user_turn_length(rows[turn[0]], turn[1]), turn)
        )
        chosen = set(by_length[: len(dependent)])
    return Marking(
        indicator,
        chosen=tuple(
            frozenset(turn for turn in row_scores if (index, turn) in chosen)
            for index, row_scores in enumerate(scores)
        ),
        scores=tuple(
            (rows[turn[0]].source, value, turn in chosen)
            for turn, value in zip(turns, values, strict=True)
        ),
    )


def _user_turn_before(turns: Sequence[Turn], index: int) -> int:
    return max(i for i in range(index) if turns[i].role == "user")


def _user_turn_length(row: Row, index: int) -> int:
    return len(row.turns[_user_turn_before(row.turns, index)].content)
