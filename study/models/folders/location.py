"""Where a model is on this machine: its folder, or its snapshot in the hub's cache.

In: a `ModelRef`. Out: a folder. Nothing is fetched.
"""

from __future__ import annotations

from pathlib import Path

from study.errors import StudyError
from study.models.pairs import ModelRef


def model_folder(ref: ModelRef, revision: str | None = None) -> Path:
    """The folder of a model on this machine, at a commit if one is given."""
    if Path(ref.path).is_absolute():
        if not Path(ref.path).is_dir():
            raise StudyError(ref.path, found="no such folder", expected="a model folder")
        return Path(ref.path)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    # A repository with an adapter only has no configuration of a model.
    for name in ("config.json", "adapter_config.json"):
        try:
            path = try_to_load_from_cache(ref.path, name, revision=revision or ref.revision)
        except (HFValidationError, OSError, ValueError):
            continue
        if isinstance(path, str):
            return Path(path).parent
    raise StudyError(
        ref.name,
        found="neither a folder nor a model in the hub's local cache",
        expected="a model on this machine",
        do="Fetch it with `study stage`",
    )
