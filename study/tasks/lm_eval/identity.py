"""What of a task can move a number: its resolved configuration, its code and its documents.

In: a loaded lm-eval task. Out: two mappings of digests: what decides the prompts, and what decides
how responses are scored. Every field of the configuration belongs to one of the two, except those
listed here with the reason; a field that lm-eval adds belongs to the prompts until it is listed.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from study.results.identity import canonical
from study.tasks.lm_eval.code import code_digest
from study.tasks.lm_eval.types import LmEvalDocument, LmEvalTask

SCORING = frozenset({"process_results", "metric_list", "filter_list"})
"Fields that decide how responses are scored."
IN_DOCUMENTS = frozenset(
    {
        "custom_dataset",
        "dataset_path",
        "dataset_name",
        "dataset_kwargs",
        "training_split",
        "validation_split",
        "test_split",
        "fewshot_split",
        "process_docs",
    }
)
"Fields that decide which documents there are; these are digested themselves, wherever they are."
WITHOUT_EFFECT = frozenset(
    {
        "task",
        "task_alias",
        "tag",
        "num_fewshot",  # the arm decides
        "metadata",  # for functions that make documents; lm-eval adds the path of the file
        "unsafe_code",
        "should_decontaminate",
        "doc_to_decontamination_query",
    }
)
"Fields that lm-eval does not use on the way from a document to a score."


def prompt_configuration(task: LmEvalTask) -> str:
    """sha256 of all fields of the task's configuration that can move a prompt."""
    excluded = SCORING | IN_DOCUMENTS | WITHOUT_EFFECT
    fields = _fields(task.config)
    prompted = {name: fields[name] for name in fields.keys() - excluded}
    # The one metric for which lm-eval makes further requests.
    metrics = [metric.get("metric") for metric in fields["metric_list"] or ()]
    return _digest({**prompted, "unconditional": "acc_mutual_info" in metrics})


def scoring_configuration(task: LmEvalTask) -> str:
    """sha256 of the fields of the task's configuration that decide the score of a response."""
    fields = _fields(task.config)
    return _digest({name: fields[name] for name in SCORING})


def documents_digest(documents: Iterable[LmEvalDocument]) -> str:
    """sha256 of documents with all of their fields, in order; TypeError for a value that is not
    plain data."""
    digest = hashlib.sha256()
    for document in documents:
        digest.update(canonical(plain(document)).encode() + b"\n")
    return digest.hexdigest()


def _fields(config: Any) -> dict[str, Any]:
    """The fields of a configuration; those of fewshot_config that only repeat others are dropped
    with the data that they name."""
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    fewshot = fields["fewshot_config"]
    if dataclasses.is_dataclass(fewshot):
        names = [f.name for f in dataclasses.fields(fewshot)]
        kept = {name: getattr(fewshot, name) for name in names if name not in IN_DOCUMENTS}
        del kept["split"]
        fields["fewshot_config"] = kept
    return fields


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(plain(value)).encode()).hexdigest()


def plain(value: Any) -> Any:
    """A value as JSON can hold it, the same in every process.

    Functions are replaced by digests of their code, binary data by its digest; TypeError for a
    value of which neither is known.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(canonical(plain(item)) for item in value)
    if isinstance(value, bytes):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, datetime.date | datetime.time):
        return {"time": value.isoformat()}
    if hasattr(value, "tobytes") and hasattr(value, "size"):  # arrays and images
        content = hashlib.sha256(value.tobytes()).hexdigest()
        return {"array": content, "size": plain(getattr(value, "shape", value.size))}
    if callable(value):
        return {"code": code_digest(value)}
    raise TypeError(f"a {type(value).__name__} has no digest")
