"""Builds the zoo: trains every member, saves checkpoint folders, and lists them in a manifest.

In: `MEMBERS`. Out: `models/<member>/{base,tuned}/` (ordinary transformers checkpoints, float16 on
disk, float32 in use), `models/<member>/training.json`, and `models/manifest.json` with the digest
of every file. A member whose `training.json` names its current recipe is not trained again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from study.errors import StudyError, listed, nearest
from study.processes import end_with_parent, uninterrupted
from study.zoo import MODELS
from study.zoo.members import MEMBERS, Member

LISTED_LOSSES = 20
"Number of first pretraining losses in a record, with which a rebuild can be compared."
MANIFEST = "manifest.json"


def build_zoo(names: list[str] | None, processes: int, say: Callable[[str], object]) -> None:
    """Write the zoo's tasks and train the named members, by default all, unless they are built.

    `say` receives the progress in text. StudyError for a name that is not a member.
    """
    from study.zoo.tasks import write_suites, write_tasks

    for name in names or ():
        if name not in MEMBERS:
            raise StudyError(
                "study zoo build",
                found=repr(name),
                expected=f"one of {listed(MEMBERS, most=30)}",
                do=nearest(name, MEMBERS),
            )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    start = time.monotonic()
    write_tasks()
    write_suites()
    selected = names or list(MEMBERS)
    missing = [MEMBERS[name] for name in selected if not is_built(MEMBERS[name])]
    say(f"{len(selected) - len(missing)} members are built, {len(missing)} to build in {MODELS}")
    for number, record in enumerate(build_members(missing, processes=processes), start=1):
        seconds = record["pretraining_seconds"] + record["tuning_seconds"]
        say(
            f"{number}/{len(missing)} {record['member']}: {record['parameters']} parameters, "
            f"{seconds:.0f} s, loss {record['last_loss']:.3f}, "
            f"tuned {record['last_tuning_loss']:.3f}"
        )
    say(f"built in {time.monotonic() - start:.0f} s")


def build_members(
    members: Iterable[Member], *, processes: int, models: Path = MODELS
) -> Iterator[dict[str, Any]]:
    """Train members in parallel, the largest first, and rewrite the manifest; yields each member's
    record when it is finished."""
    models.mkdir(parents=True, exist_ok=True)
    queue = sorted(
        members, key=lambda m: -m.recipe.steps * m.recipe.size.hidden**2 * m.recipe.size.layers
    )
    context = multiprocessing.get_context("spawn")
    with uninterrupted():
        workers = context.Pool(processes, end_with_parent, maxtasksperchild=1)
    with workers as pool:
        arguments = [(member.name, models) for member in queue]
        yield from pool.imap_unordered(_build_member, arguments, chunksize=1)
    write_manifest(models)


def _build_member(arguments: tuple[str, Path]) -> dict[str, Any]:
    return build_member(*arguments)


def build_member(name: str, models: Path = MODELS) -> dict[str, Any]:
    """Train and save one member; returns the content of `training.json`."""
    import torch

    from study.zoo.training import pretrain, recipe_digest, tune

    torch.set_num_threads(1)
    member = MEMBERS[name]
    temporary = models / f".{name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    start = time.time()
    model, losses = pretrain(member.recipe)
    _save(model, temporary / "base")
    pretrained = time.time()
    model, tuning_losses = tune(model, member)
    _save(model, temporary / "tuned")
    record = {
        "member": name,
        "family": member.family,
        "recipe": recipe_digest(member),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "first_losses": losses[:LISTED_LOSSES],
        "last_loss": sum(losses[-50:]) / len(losses[-50:]),
        "last_tuning_loss": sum(tuning_losses[-50:]) / len(tuning_losses[-50:]),
        "pretraining_seconds": pretrained - start,
        "tuning_seconds": time.time() - pretrained,
    }
    (temporary / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    shutil.rmtree(models / name, ignore_errors=True)
    os.replace(temporary, models / name)
    return record


def _save(model: Any, folder: Path) -> None:
    """Write a checkpoint: float16 weights, a float32 configuration, and the tokenizer."""
    from study.zoo.tokenizer import tokenizer

    model.half().save_pretrained(folder)
    model.float()
    config = json.loads((folder / "config.json").read_text())
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tokenizer().save_pretrained(folder)


def is_built(member: Member, models: Path = MODELS) -> bool:
    """Whether the member has been trained by its current recipe."""
    from study.zoo.training import recipe_digest

    path = models / member.name / "training.json"
    return path.exists() and json.loads(path.read_text())["recipe"] == recipe_digest(member)


def built_members(models: Path = MODELS) -> list[dict[str, Any]]:
    """The records of all built members, in the order of `MEMBERS`; does not import torch."""
    paths = [models / name / "training.json" for name in MEMBERS]
    return [json.loads(path.read_text()) for path in paths if path.is_file()]


def file_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below `folder` by its relative path, hidden folders and the manifest
    excepted."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.relative_to(folder).parts[0].startswith(".")
        and path.name != MANIFEST
    }


def write_manifest(models: Path = MODELS) -> None:
    """Write the manifest: the digest of every file of the zoo."""
    text = json.dumps(file_digests(models), indent=1, sort_keys=True) + "\n"
    temporary = models / f".{MANIFEST}"
    temporary.write_text(text)
    os.replace(temporary, models / MANIFEST)
