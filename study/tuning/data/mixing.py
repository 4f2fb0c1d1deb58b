"""Mixing pools into rows.

In: a `Mixture`, its pools, a format, a seed. Out: conversations, each with the name of its source.
A source counts as many rows as it has, up to the cap (examples-proportional mixing: Raffel et al.
2020, section 3.5.2; Wei et al. 2022), or has a weight of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.config.study import Study
from study.config.tuning.grids import Recipe
from study.config.tuning.mixtures import Format, Mixture
from study.config.wording import Layout
from study.errors import StudyError, listed
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.formats import DEMONSTRATIONS, format_row
from study.tuning.data.sources import Pool, TaskExample, Turn, read_pools

ROUND_ROWS = 1024
"Rows in a round, where the mixture ends at a number of tokens."
DRAWN_DEMONSTRATIONS = DEMONSTRATIONS + 1
"Demonstrations that are drawn for a row: one of them may be the row itself."


@dataclass(frozen=True)
class Row:
    """One conversation to tune on."""

    source: str
    turns: tuple[Turn, ...]


def mixed_pools(recipe: Recipe, study: Study, tasks: TaskLibrary) -> list[Pool]:
    """The pools of a recipe's mixture that its `only` and `without` select; StudyError if there is
    none, or a name is unknown."""
    mixture, key = recipe.mixture, recipe.mixture_key
    available = [
        pool
        for i, source in enumerate(mixture.sources)
        for pool in read_pools(source, study, tasks, f"{key}.sources[{i}]")
    ]
    known = {pool.name for pool in available} | {pool.task_type for pool in available}
    for part in ("only", "without"):
        for name in getattr(mixture, part):
            if name not in known:
                raise study.error(
                    f"{key}.{part}",
                    found=repr(name),
                    expected=f"sources or types: {listed(sorted(known), most=30)}",
                )
    selected = [
        pool
        for pool in available
        if (not mixture.only or {pool.name, pool.task_type} & set(mixture.only))
        and not {pool.name, pool.task_type} & set(mixture.without)
    ]
    if not selected:
        raise study.error(
            key, found="no source left", expected="at least one", do="See `only` and `without`"
        )
    names = [pool.name for pool in selected]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise study.error(
            key,
            found=f"{listed(repeated)} more than once",
            expected="sources with different names",
            do="Give one of them another `name`",
        )
    return selected


def mixing_rates(mixture: Mixture, pools: Sequence[Pool]) -> list[float]:
    """Each pool's share of the rows; the shares sum to one."""

    def effective_size(pool: Pool) -> float:
        if pool.weight is not None:
            return pool.weight
        return float(mixture.cap if pool.size is None else min(pool.size, mixture.cap))

    sizes = [effective_size(pool) for pool in pools]
    return [size / math.fsum(sizes) for size in sizes]


def apportion(shares: Sequence[float], rows: int) -> list[int]:
    """Whole numbers in the given shares that sum to `rows`, by largest remainders.

    >>> apportion([0.5, 0.3, 0.2], 7)
    [4, 2, 1]
    """
    exact = [share * rows for share in shares]
    counts = [math.floor(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: rows - sum(counts)]:
        counts[i] += 1
    return counts


def mix_rows(
    mixture: Mixture, pools: Sequence[Pool], format: Format, layout: Layout, seed: int
) -> Iterator[Row]:
    """The rows of a mixture in random order; without end if the mixture gives a number of
    tokens."""
    round_number = 0
    while True:
        rng = random.Random(f"mixture {seed} {round_number}")
        yield from _round(mixture, pools, format, layout, rng)
        if mixture.rows is not None:
            return
        round_number += 1


def _round(
    mixture: Mixture,
    pools: Sequence[Pool],
    format: Format,
    layout: Layout,
    rng: random.Random,
) -> list[Row]:
    counts = apportion(mixing_rates(mixture, pools), mixture.rows or ROUND_ROWS)
    rows = []
    for pool, count in zip(pools, counts, strict=True):
        if not count:
            continue
        drawn = pool.draw(count, rng)
        demonstrations = _draw_demonstrations(pool, pools, count, format, rng)
        for i, row in enumerate(drawn):
            candidates = demonstrations[i * DRAWN_DEMONSTRATIONS : (i + 1) * DRAWN_DEMONSTRATIONS]
            chosen = [example for example in candidates if example != row][:DEMONSTRATIONS]
            rows.append(Row(pool.name, format_row(row, chosen, format, layout, rng)))
    rng.shuffle(rows)
    return rows


def _draw_demonstrations(
    pool: Pool, pools: Sequence[Pool], rows: int, format: Format, rng: random.Random
) -> list[TaskExample]:
    """`DRAWN_DEMONSTRATIONS` for each row, in the order of the rows; empty if the format has
    none."""
    if not format.startswith("samplegen"):
        return []
    if format != "samplegen_other_task":
        drawn = pool.draw(rows * DRAWN_DEMONSTRATIONS, rng)
        return [row for row in drawn if isinstance(row, TaskExample)]
    others = [other for other in pools if other.task_type != pool.task_type]
    if not others:
        raise StudyError(
            "samplegen_other_task",
            found=f"a mixture of only one type, {pool.task_type}",
            expected="sources of two types, so that one can demonstrate the other",
        )
    examples: list[TaskExample] = []
    for _ in range(rows):
        drawn = rng.choice(others).draw(DRAWN_DEMONSTRATIONS, rng)
        examples += [row for row in drawn if isinstance(row, TaskExample)]
    return examples
