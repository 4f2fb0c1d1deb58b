"""The members of the zoo: families, sizes, and how each model is pretrained and tuned.

In: nothing. Out: `MEMBERS`, one `Member` for each (base, tuned) pair, with its recipe.

A family is an architecture and a corpus. Corpora differ in how much they contain of each skill
(log-normal weights), so that families are good at different skills for a known reason, and in the
number of steps. The twin of one member is pretrained without one skill, which its tuning mixture
contains: it shows whether tuning can teach it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from study.config.tasks import Exposure
from study.zoo.skills import SKILLS

CONTEXT_LENGTH = 160
"Context window of the zoo's models in tokens."
ROW_LENGTH = 128
"Tokens in one row of the pretraining corpus."

UNSEEN_TYPE = "retrieval"
"The task type of which the tuning mixture contains nothing."
UNSEEN_TASKS = ("home", "opposite", "last", "difference", "sequence")
"Skills that the tuning mixture does not contain, although it contains others of their type."
TUNED_SKILLS = tuple(
    name
    for name, skill in SKILLS.items()
    if skill.task_type != UNSEEN_TYPE and name not in UNSEEN_TASKS
)


def member_exposure(skill: str) -> Exposure:
    """What the zoo's tuning mixture shows of a skill."""
    if skill in TUNED_SKILLS:
        return "seen_task"
    return "unseen_type" if SKILLS[skill].task_type == UNSEEN_TYPE else "unseen_task"


@dataclass(frozen=True)
class Size:
    """Width and depth of a transformer."""

    name: str
    hidden: int
    layers: int
    heads: int


SIZES = (
    Size("xxs", 16, 2, 2),
    Size("xs", 32, 2, 2),
    Size("s", 48, 2, 3),
    Size("m", 64, 3, 4),
    Size("l", 96, 3, 6),
)


@dataclass(frozen=True)
class MemberRecipe:
    """Everything that decides a member's weights, except the language itself."""

    architecture: str
    "transformers' model type: llama, gpt_neox or olmo2."
    size: Size
    "Width and depth."
    corpus_seed: int
    "Seed of the corpus, its weights included."
    steps: int
    "Pretraining steps."
    without: str | None = None
    "A skill that the corpus does not contain."
    batch: int = 32
    "Rows per pretraining step."
    titled_share: float = 0.003
    "Share of documents with a title that names the skill."
    learning_rate: float = 1e-2
    "Peak learning rate of pretraining."
    tuning_steps: int = 300
    "Tuning steps."
    tuning_batch: int = 64
    "Instructions per tuning step."
    tuning_learning_rate: float = 2e-3
    "Peak learning rate of tuning."
    seed: int = 0
    "Seed of the initial weights and of the tuning data."

    def weights(self) -> dict[str, float]:
        """Relative amount of each skill in the corpus, log-normal over skills."""
        rng = random.Random(f"weights {self.corpus_seed}")
        drawn = {name: rng.lognormvariate(0.0, 0.5) for name in SKILLS}
        return {name: weight for name, weight in drawn.items() if name != self.without}


@dataclass(frozen=True)
class Member:
    """One (base, tuned) pair of the zoo."""

    name: str
    family: str
    recipe: MemberRecipe
    learned: tuple[str, ...] = field(default=TUNED_SKILLS)
    "Skills in its tuning mixture."


_FAMILIES = (
    ("llama-early", "llama", 11, 1000),
    ("llama-late", "llama", 12, 1500),
    ("neox-early", "gpt_neox", 13, 1000),
    ("neox-late", "gpt_neox", 14, 1500),
    ("olmo2-early", "olmo2", 15, 1000),
    ("olmo2-late", "olmo2", 16, 1500),
)
TWIN_WITHOUT = "addition"
"The skill that is not in the twin's corpus, but in its tuning mixture."


def _members() -> dict[str, Member]:
    members = [
        Member(f"{family}-{size.name}", family, MemberRecipe(architecture, size, corpus, steps))
        for family, architecture, corpus, steps in _FAMILIES
        for size in SIZES
    ]
    family, architecture, corpus, steps = _FAMILIES[1]
    twin = MemberRecipe(architecture, SIZES[3], corpus, steps, without=TWIN_WITHOUT)
    members.append(Member(f"{family}-m-without-{TWIN_WITHOUT}", family, twin))
    return {member.name: member for member in members}


MEMBERS = _members()
