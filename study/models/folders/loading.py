"""Loading a model, its configuration or an adapter: the only calls of `from_pretrained` for these.

In: a folder. Out: a transformers object. Code that comes with a model runs only where the study
allows it; nothing is fetched and nothing is asked on the terminal. A checkpoint that does not fill
the model exactly is an error: what it lacks would be random numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from study.errors import StudyError, listed, printable
from study.models.folders.adapters import base_folder
from study.models.folders.contents import read_json
from study.models.folders.files import CONFIG, GENERATION_CONFIG, readable_files
from study.models.folders.opened_files import only_known_files

Loaded = TypeVar("Loaded")
OTHER_PARTS = re.compile(r"^(model\.)?(vision|visual|image|audio|multi_modal|mm_)")
"Tensors of a multimodal model that are not those of its language model."
DO_TRUST = (
    "Install a version that does or, if you trust the code that comes with the model, set "
    "`trust_remote_code: true` in the study file"
)
MAX_CAUSE = 600
"Characters of another library's error in a message."


def load_config(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The configuration of the model in a folder."""
    from transformers import CONFIG_MAPPING, AutoConfig

    model_type = read_json(folder / CONFIG).get("model_type")
    known = isinstance(model_type, str) and model_type in CONFIG_MAPPING
    if not known and not trust_remote_code:
        raise StudyError(
            folder,
            found=f"a model of type {printable(repr(model_type), 100)}",
            expected="a type that the installed transformers supports",
            do=DO_TRUST,
        )
    return loaded(
        folder,
        lambda: AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code),
    )


def check_generation_config(folder: Path) -> None:
    """StudyError if there is a generation_config.json that cannot be loaded: loading a model, which
    generates with other defaults then, would not report it."""
    from transformers import GenerationConfig

    if (folder / GENERATION_CONFIG).is_file():
        read_json(folder / GENERATION_CONFIG)
        loaded(folder, lambda: GenerationConfig.from_pretrained(folder), GENERATION_CONFIG)


def load_model(
    folder: Path,
    *,
    trust_remote_code: bool = False,
    allow_pickled_weights: bool = False,
    **options: Any,
) -> Any:
    """A language model, with its adapter if the folder is one.

    `options` are transformers'. StudyError if anything but tied weights is missing or left over,
    or a file was read that is not part of the model's identity.
    """
    import transformers
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    )

    allowed = {
        "trust_remote_code": trust_remote_code,
        "allow_pickled_weights": allow_pickled_weights,
    }
    files = readable_files(folder, **allowed)
    base = base_folder(files)
    whole = base or folder
    known = {*files.all(), *readable_files(whole, **allowed).all()}
    config = load_config(whole, trust_remote_code=trust_remote_code)
    kind = transformers.AutoModelForCausalLM
    if config.model_type in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        kind = transformers.AutoModelForSeq2SeqLM

    def load() -> Any:
        model, info = kind.from_pretrained(
            whole,
            trust_remote_code=trust_remote_code,
            use_safetensors=None if allow_pickled_weights else True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported like the other faults, by name
            **options,
        )
        part = model.config.model_type != config.model_type
        check_complete(whole, model, info, of_language_model=part)
        if base is not None:
            load_adapter(model, folder)
        return model

    with only_known_files({folder, whole}, known):
        return loaded(folder, load)


def load_adapter(model: Any, folder: Path) -> None:
    """Apply the adapter in a folder to a model."""
    info = loaded(folder, lambda: model.load_adapter(str(folder), use_safetensors=True)).to_dict()
    check_complete(folder, model, info)


def load_peft_model(model: Any, folder: Path) -> Any:
    """A model with the adapter in a folder, as one of peft's, which can be merged."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder)


def load_encoder(folder: Path) -> Any:
    """A model that gives hidden states, without the heads that its checkpoint has."""
    from transformers import AutoModel

    model, info = loaded(
        folder,
        lambda: AutoModel.from_pretrained(
            folder,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        ),
    )
    modules = {name for name, _ in model.named_children()}
    used = {
        **info,
        # Hidden states do not depend on the pooler, which checkpoints of language models lack.
        "missing_keys": [key for key in info["missing_keys"] if not key.startswith("pooler.")],
        "unexpected_keys": [
            key for key in info["unexpected_keys"] if modules & set(key.split(".")[:2])
        ],
    }
    check_complete(folder, model, used)
    return model.eval()


def check_complete(
    folder: Path, model: Any, info: dict[str, Any], *, of_language_model: bool = False
) -> None:
    """StudyError if a checkpoint does not fill a model: `info` is what transformers reports.

    `of_language_model`: the model is the language model in the checkpoint of a larger one.
    """
    unexpected = _unexpected(model, info["unexpected_keys"], of_language_model=of_language_model)
    faults = {
        "has no": info["missing_keys"],
        "has, beyond what the model needs,": unexpected,
        "has in another shape": [entry[0] for entry in info["mismatched_keys"]],
        "cannot be read:": info.get("error_msgs", ()),
    }
    found = [f"{fault} {_some(names)}" for fault, names in faults.items() if names]
    if found:
        raise StudyError(
            folder,
            found=f"a checkpoint that {'; it '.join(found)}",
            expected=f"exactly the tensors of {type(model).__name__}",
            do="Missing tensors would be random numbers. Fetch or convert the model again, or "
            "install the version of transformers that its authors name",
        )


def _unexpected(model: Any, names: Iterable[str], *, of_language_model: bool) -> list[str]:
    """Names of tensors that the model should have used.

    Not those of buffers that it computes itself, nor, if it is the language model in a checkpoint
    of a larger one, those of the parts for pictures and sound.
    """
    buffers = [name for name, _ in model.named_buffers()]
    return [
        name
        for name in names
        if not any(buffer == name or buffer.endswith(f".{name}") for buffer in buffers)
        and not (of_language_model and OTHER_PARTS.search(name))
    ]


def _some(names: Iterable[str]) -> str:
    return listed(sorted(printable(name, 100) for name in names), most=4)


def loaded(folder: Path, load: Callable[[], Loaded], what: str = "a model") -> Loaded:
    """What `load` returns; StudyError for every error, which may be anything. `what` is loaded.

    transformers' warnings about the files of a model are not printed; what matters is an error.
    """
    try:
        with _quiet():
            return load()
    except (StudyError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except (MemoryError, OSError, RuntimeError) as error:
        if _of_machine(error):
            raise
        raise _load_error(folder, error, what) from error
    except BaseException as error:  # panics of libraries in Rust are no Exception
        if not is_fault(error):
            raise
        raise _load_error(folder, error, what) from error


@contextmanager
def _quiet() -> Iterator[None]:
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _of_machine(error: BaseException) -> bool:
    """Whether memory or a device failed, and not the model."""
    if isinstance(error, MemoryError):
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OutOfMemoryError", "AcceleratorError"}) or "CUDA" in str(error)


def is_fault(error: BaseException) -> bool:
    """Whether an error may come from the files of a model: not an interruption, say. Panics of
    libraries in Rust count, though they are no Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _load_error(folder: Path, error: BaseException, what: str) -> StudyError:
    """The error for what transformers raised."""
    if "trust_remote_code" in str(error):
        return StudyError(
            folder,
            found=f"{what} that needs code of its own",
            expected="one that the installed transformers supports",
            do=DO_TRUST,
        )
    cause = printable(f"{type(error).__name__}: {error}", MAX_CAUSE)
    return StudyError(
        folder,
        found=f"{what} that cannot be read: {cause}",
        expected="one that the installed transformers can read",
    )
