"""Sources of tuning data: one reader for each kind of source.

In: a `Source` of the study file. Out: its pools. To add a kind: write a module with a reader
(`ReadSource`), add it to `SOURCES` under the name of its key, and add the key to
`study.config.tuning.mixtures.Source` and `SOURCE_KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterator

from study.config.study import Study
from study.config.tuning.mixtures import Source
from study.tasks.lm_eval.library import TaskLibrary
from study.tuning.data.sources.base import (
    Conversation,
    Pool,
    PoolRow,
    ReadSource,
    TaskExample,
    Turn,
)
from study.tuning.data.sources.json_lines import read_json_lines
from study.tuning.data.sources.training_splits import read_suite_splits, read_training_split
from study.tuning.data.sources.zoo_skills import read_zoo_skills

__all__ = ["SOURCES", "Conversation", "Pool", "PoolRow", "TaskExample", "Turn", "read_pools"]

SOURCES: dict[str, ReadSource] = {
    "zoo": read_zoo_skills,
    "suite": read_suite_splits,
    "task": read_training_split,
    "file": read_json_lines,
}


def read_pools(source: Source, study: Study, tasks: TaskLibrary, key: str) -> Iterator[Pool]:
    """The pools of a source; StudyError, which names its `key`, if it does not exist or is
    empty."""
    yield from SOURCES[source.kind](source, study, tasks, key)
