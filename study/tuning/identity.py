"""The identity of a tuned model: the digest of everything that decides its weights.

In: a recipe, its base's digests, its mixture's pools, the layout. Out: a key, known before anything
is trained, by which nothing is trained twice and cells of a tuned model are known as of any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.config.tuning.grids import Recipe
from study.config.wording import Layout
from study.models.pairs import ModelRef
from study.results.cell_store.store import results_folder
from study.results.identity import canonical
from study.results.schema import Exposure
from study.tuning.data.sources import Pool

RECORD = "tuning.json"
"In a tuned model's folder, what was done; it is renamed into place with it."


@dataclass(frozen=True)
class TunedModel:
    """A model that a study tunes itself."""

    recipe: Recipe
    base: ModelRef
    key: str
    folder: Path
    "Where it is, or will be."

    @property
    def finished(self) -> bool:
        """Whether it stands there."""
        return (self.folder / RECORD).is_file()


def recipe_key(
    recipe: Recipe, *, base: str, tokenizer: str, seed_model: str, pools: Sequence[Pool],
    layout: Layout,
) -> str:  # fmt: skip
    """64 hexadecimal digits. `base`, `tokenizer` and `seed_model` are digests of their files."""
    parts: dict[str, Any] = {
        "recipe": recipe.identity(),
        "base": base,
        "tokenizer": tokenizer,
        "seed_model": seed_model,
        "pools": [[pool.name, pool.task_type, pool.digest] for pool in pools],
        "layout": layout.model_dump(mode="json"),
    }
    return hashlib.sha256(canonical(parts).encode()).hexdigest()


def tuned_tokenizer(base: str, recipe: Recipe) -> str:
    """Digest of the tuned model's tokenizer: the base's own, unless the recipe changes it."""
    if recipe.template == "tokenizer" and recipe.marker_token is None:
        return base
    changed = canonical([base, recipe.template, recipe.marker_token])
    return hashlib.sha256(changed.encode()).hexdigest()


def tuned_folder(run: Path, key: str) -> Path:
    """Where the model of that key is: in this run or one beside it; else where it will be."""
    own = results_folder(run) / "tuned" / key
    beside = (results_folder(other) / "tuned" / key for other in sorted(run.parent.iterdir()))
    return next((path for path in (own, *beside) if (path / RECORD).is_file()), own)


def checkpoints(run: Path, key: str) -> Path:
    """Where a training that is not finished keeps what it goes on from."""
    return results_folder(run) / "tuning" / key


def steps_done(run: Path, tuned: TunedModel) -> int:
    """Steps of the latest checkpoint of an unfinished training; of a finished one more than any."""
    if tuned.finished:
        return 10**9
    found = checkpoints(run, tuned.key).glob("checkpoint-*")
    return max((int(path.name.split("-")[1]) for path in found), default=0)


def exposure(pools: Iterable[Pool], task: str, task_type: str) -> Exposure:
    """What a mixture shows of a task."""
    pools = list(pools)
    if any(task in pool.shows for pool in pools):
        return "seen_task"
    return "unseen_task" if any(p.task_type == task_type for p in pools) else "unseen_type"
