"""Adapters: the model whose weights a folder with adapter_config.json is applied to.

In: the files of a folder. Out: the folder of the base model. An adapter names its base by a folder
or a hub name (`base_model_name_or_path`).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from study.errors import StudyError, printable
from study.models.folders.contents import read_json
from study.models.folders.files import ADAPTER_CONFIG, CONFIG, ModelFiles
from study.models.folders.location import model_folder
from study.models.pairs import ModelRef


def base_folder(files: ModelFiles) -> Path | None:
    """The folder of the model that an adapter is applied to, None for a whole model.

    StudyError if the base is not on this machine, or peft is not installed, without which
    transformers would ignore the adapter; also for a folder that has both, of which transformers
    would not say whether the model is complete.
    """
    if not files.adapter:
        return None
    path = files.folder / ADAPTER_CONFIG
    if any(file.name == CONFIG for file in files.config):
        raise StudyError(
            files.folder,
            found=f"a {CONFIG} beside an {ADAPTER_CONFIG}",
            expected="a model, or an adapter",
            do="Merge the adapter into its base, or remove one of the files",
        )
    if find_spec("peft") is None:
        raise StudyError(
            path,
            found="an adapter, and no peft",
            expected="the package peft",
            do="pip install 'icl-convergence[tune]', or merge the adapter into its base",
        )
    content = read_json(path)
    ref = base_model(path, content.get("base_model_name_or_path"))
    try:
        return model_folder(ref).resolve()
    except StudyError as error:
        raise StudyError(
            path,
            "base_model_name_or_path",
            found=f"{printable(ref.path, 200)!r}, which is {error.found}",
            expected="the adapter's base model on this machine",
            do="Fetch it with `study stage`, or merge the adapter into its base",
        ) from None


def base_model(path: Path, name: object) -> ModelRef:
    """The base that an adapter's configuration names. A relative folder would be another one in
    another working directory, so it is refused."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise StudyError(
            path,
            "base_model_name_or_path",
            found=printable(repr(name), 200),
            expected="the folder or hub name of the base model",
        )
    if name.startswith((".", "~")) or (name.count("/") > 1 and not Path(name).is_absolute()):
        raise StudyError(
            path,
            "base_model_name_or_path",
            found=printable(repr(name), 200),
            expected="an absolute folder, or a hub name",
        )
    return ModelRef(name)
