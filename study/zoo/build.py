"""Building the zoo: every member trained, saved as checkpoint folders, and listed in a manifest.

In: `MEMBERS`. Out: `models/<member>/{base,tuned}/` (ordinary transformers checkpoints, float16 on
disk, float32 in use), `models/<member>/training.json`, and `models/manifest.json` with the digest
of every file. A member whose `training.json` names its recipe is finished and is not built again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from study.processes import end_with_parent
from study.zoo import MODELS
from study.zoo.members import MEMBERS, Member

LISTED_LOSSES = 20
"How many of the first pretraining losses are listed, for a rebuild to be compared with."


def _save(model: Any, folder: Path) -> None:
    """Writes a checkpoint: float16 weights under a float32 configuration, and the tokenizer."""
    from study.zoo.tokenizer import tokenizer

    model.half().save_pretrained(folder)
    model.float()
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tokenizer().save_pretrained(folder)


def build_member(name: str, models: Path = MODELS) -> dict[str, Any]:
    """Trains and saves one member; returns what `training.json` holds."""
    import torch

    from study.zoo.training import pretrain, recipe_digest, tune

    torch.set_num_threads(1)
    member = MEMBERS[name]
    work = models / f".{name}.{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    started = time.time()
    model, losses = pretrain(member.recipe)
    _save(model, work / "base")
    pretrained = time.time()
    model, tuning_losses = tune(model, member)
    _save(model, work / "tuned")
    record = {
        "member": name,
        "family": member.family,
        "recipe": recipe_digest(member),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "first_losses": losses[:LISTED_LOSSES],
        "last_loss": sum(losses[-50:]) / len(losses[-50:]),
        "last_tuning_loss": sum(tuning_losses[-50:]) / len(tuning_losses[-50:]),
        "pretraining_seconds": pretrained - started,
        "tuning_seconds": time.time() - pretrained,
    }
    (work / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    shutil.rmtree(models / name, ignore_errors=True)
    os.replace(work, models / name)
    return record


def is_built(member: Member, models: Path = MODELS) -> bool:
    """Whether the member stands there, made by its present recipe."""
    from study.zoo.training import recipe_digest

    path = models / member.name / "training.json"
    return path.exists() and json.loads(path.read_text())["recipe"] == recipe_digest(member)


def built_members(models: Path = MODELS) -> list[dict[str, Any]]:
    """The records of the members that stand there, in the order of `MEMBERS`; no torch needed."""
    paths = [models / name / "training.json" for name in MEMBERS]
    return [json.loads(path.read_text()) for path in paths if path.is_file()]


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file under `folder`, by its relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
        and path.name != "manifest.json"
    }  # fmt: skip


def write_manifest(models: Path = MODELS) -> None:
    """Lists every file of the zoo with its digest."""
    text = json.dumps(digests(models), indent=1, sort_keys=True) + "\n"
    temporary = models / ".manifest.json"
    temporary.write_text(text)
    os.replace(temporary, models / "manifest.json")


def build(
    names: Iterable[str], *, processes: int, models: Path = MODELS
) -> Iterable[dict[str, Any]]:
    """Builds members side by side, largest first; yields each one's record as it is done."""
    models.mkdir(parents=True, exist_ok=True)
    wanted = [MEMBERS[name] for name in names if not is_built(MEMBERS[name], models)]
    wanted.sort(key=lambda m: -m.recipe.steps * m.recipe.size.hidden**2 * m.recipe.size.layers)
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, end_with_parent, maxtasksperchild=1) as pool:
        arguments = [(member.name, models) for member in wanted]
        yield from pool.imap_unordered(_build_one, arguments, chunksize=1)
    write_manifest(models)


def _build_one(arguments: tuple[str, Path]) -> dict[str, Any]:
    return build_member(*arguments)
