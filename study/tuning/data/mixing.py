"""Mixing sources into rows.

In: a `Mixture`, its pools, a format, a seed. Out: conversations with their source's name, and which
sources gave how many. A source counts as many rows as it has, up to the cap (examples-proportional
mixing: Raffel et al. 2020, section 3.5.2; Wei et al. 2022), or by a weight of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from study.config.tuning.grids import Recipe
from study.config.tuning.mixtures import Format, Mixture
from study.config.wording import Layout
from study.errors import StudyError, listed
from study.tasks.lm_eval_tasks import Harness
from study.tuning.data.formats import DEMONSTRATIONS, conversation
from study.tuning.data.sources import Chat, Pool, Shown, Turn, pools

ROUND = 1024
"Rows made at once where tokens are counted."
TAKEN = DEMONSTRATIONS + 1
"Demonstrations taken for a row: one of them may be the row itself."


@dataclass(frozen=True)
class Row:
    """One conversation to tune on."""

    source: str
    turns: tuple[Turn, ...]


def mixed_pools(recipe: Recipe, harness: Harness) -> list[Pool]:
    """The pools of a recipe's mixture, without those it leaves out; StudyError if none is left or
    a name is unknown."""
    mixture, file = recipe.mixture, recipe.study_file
    key = f"tuning.mixtures.{recipe.mixture_name}"
    found = [
        pool
        for i, source in enumerate(mixture.sources)
        for pool in pools(source, harness, file, f"{key}.sources[{i}]")
    ]
    known = {pool.name for pool in found} | {pool.task_type for pool in found}
    for part in ("only", "without"):
        for name in getattr(mixture, part):
            if name not in known:
                raise StudyError(
                    file,
                    f"{key}.{part}",
                    found=repr(name),
                    expected=f"sources or types: {listed(sorted(known), most=30)}",
                )
    chosen = [
        pool
        for pool in found
        if (not mixture.only or {pool.name, pool.task_type} & set(mixture.only))
        and not {pool.name, pool.task_type} & set(mixture.without)
    ]
    if not chosen:
        raise StudyError(file, key, found="no source left", expected="one at least",
                         do="See `only` and `without`")  # fmt: skip
    names = [pool.name for pool in chosen]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise StudyError(file, key, found=f"{listed(twice)} more than once",
                         expected="sources with a name of their own")  # fmt: skip
    return chosen


def rates(mixture: Mixture, chosen: Sequence[Pool]) -> list[float]:
    """Each pool's share of the rows; they sum to one."""
    sizes = [
        pool.weight if pool.weight is not None else
        float(mixture.cap if pool.size is None else min(pool.size, mixture.cap))
        for pool in chosen
    ]  # fmt: skip
    return [size / math.fsum(sizes) for size in sizes]


def apportioned(shares: Sequence[float], rows: int) -> list[int]:
    """Whole numbers in those shares that sum to `rows`: the largest remainders are rounded up.

    >>> apportioned([0.5, 0.3, 0.2], 7)
    [4, 2, 1]
    """
    exact = [share * rows for share in shares]
    whole = [math.floor(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in order[: rows - sum(whole)]:
        whole[i] += 1
    return whole


def mixed_rows(
    mixture: Mixture, chosen: Sequence[Pool], format: Format, layout: Layout, seed: int
) -> Iterator[Row]:
    """The mixture's rows in random order; without end where a number of tokens is wanted."""
    turn = 0
    while True:
        rng = random.Random(f"mixture {seed} {turn}")
        yield from _round(mixture, chosen, format, layout, rng)
        if mixture.rows is not None:
            return
        turn += 1


def _round(
    mixture: Mixture,
    chosen: Sequence[Pool],
    format: Format,
    layout: Layout,
    rng: random.Random,
) -> list[Row]:
    numbers = apportioned(rates(mixture, chosen), mixture.rows or ROUND)
    rows = []
    for pool, number in zip(chosen, numbers, strict=True):
        if number:
            taken: Sequence[Shown | Chat] = pool.take(number, rng)
            shown = _demonstrations(pool, chosen, number, format, rng)
            for place, row in enumerate(taken):
                spare = shown[place * TAKEN : (place + 1) * TAKEN]
                own = [other for other in spare if other != row][:DEMONSTRATIONS]
                rows.append(Row(pool.name, conversation(row, own, format, layout, rng)))
    rng.shuffle(rows)
    return rows


def _demonstrations(
    pool: Pool, chosen: Sequence[Pool], number: int, format: Format, rng: random.Random
) -> list[Shown]:
    """For each row as many as it needs and a spare one, in order; none where the format writes
    none."""
    if not format.startswith("samplegen"):
        return []
    if format != "samplegen_other_task":
        taken = pool.take(number * TAKEN, rng)
        return [row for row in taken if isinstance(row, Shown)]
    others = [other for other in chosen if other.task_type != pool.task_type]
    if not others:
        raise StudyError("samplegen_other_task", found=f"a mixture of {pool.task_type} alone",
                         expected="sources of two types, one to demonstrate the other")  # fmt: skip
    found: list[Shown] = []
    for _ in range(number):
        taken = rng.choice(others).take(TAKEN, rng)
        found += [row for row in taken if isinstance(row, Shown)]
    return found
