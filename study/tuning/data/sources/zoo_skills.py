"""The source `zoo`: questions of the zoo's skills, an unlimited number of them.

In: names of skills. Out: one pool for each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from study.config.study import Study
from study.config.tuning.mixtures import Source
from study.errors import listed, nearest
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.sources.base import DIGESTED_ROWS, Pool, TaskExample, rows_digest
from study.zoo.instructions import training_questions
from study.zoo.skills import SKILLS


def read_zoo_skills(source: Source, study: Study, tasks: TaskLibrary, key: str) -> Iterator[Pool]:
    """One pool for each skill."""
    for skill in source.zoo or ():
        if skill not in SKILLS:
            raise study.error(
                f"{key}.zoo",
                found=repr(skill),
                expected=f"skills of the zoo, {listed(SKILLS, most=20)}",
                do=nearest(skill, SKILLS),
            )

        def draw(number: int, rng: random.Random, skill: str = skill) -> list[TaskExample]:
            questions = training_questions(skill, number, rng, context=source.context)
            return [TaskExample(*parts) for parts in questions]

        yield Pool(
            name=skill,
            task_type=SKILLS[skill].task_type,
            shows=frozenset({f"zoo_{skill}_mc", f"zoo_{skill}_gen"}),
            weight=source.weight,
            size=None,
            draw=draw,
            digest=rows_digest(draw(DIGESTED_ROWS, random.Random("digest"))),
        )
