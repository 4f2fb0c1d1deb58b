"""Checkpoints of an unfinished training, which are complete or do not count.

In and out: the folder of a training. A checkpoint is a folder `checkpoint-<step>` that
transformers' Trainer writes; its last file is `complete.json`, with the recipe's key and the losses
so far.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from study.errors import StudyError
from study.results.files import write_whole

COMPLETE = "complete.json"
"Name of the file that is written last: a checkpoint without it is not complete."


def mark_complete(checkpoint: Path, key: str, losses: list[float]) -> None:
    """Mark a checkpoint as complete."""
    content = {"key": key, "losses": losses}
    write_whole(checkpoint / COMPLETE, json.dumps(content).encode())


def latest_checkpoint(folder: Path, key: str) -> Path | None:
    """The latest complete checkpoint, None if there is none; incomplete ones are removed.

    StudyError if it belongs to another recipe than that with `key`.
    """
    checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: -_step(path))
    complete = [path for path in checkpoints if (path / COMPLETE).is_file()]
    for path in set(checkpoints) - set(complete):
        shutil.rmtree(path)
    if not complete:
        return None
    recipe = json.loads((complete[0] / COMPLETE).read_text())["key"]
    if recipe != key:
        raise StudyError(
            complete[0],
            found=f"a checkpoint of the recipe {recipe}",
            expected=f"one of {key}",
            do="Remove the folder, then run the same command again to train from the beginning",
        )
    return complete[0]


def checkpoint_losses(checkpoint: Path) -> list[float]:
    """The losses of all steps up to a complete checkpoint."""
    return [float(loss) for loss in json.loads((checkpoint / COMPLETE).read_text())["losses"]]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.split("-")[1])
