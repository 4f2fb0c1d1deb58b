"""A task as its file describes it, before its data are read.

In: the configuration in a task file. Out: `TaskEntry`, with the rules of lm-eval 0.4.13 that
silently change what a cell measures (`demonstrates_itself`, `fixes_zero_shots`), and whether the
data are on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TaskEntry:
    """A task as its file describes it; no data has been read."""

    name: str
    config: dict[str, Any]
    file: Path | None = None
    "Its file, if it is in a folder of the study."

    @property
    def evaluated_split(self) -> str | None:
        """The split whose items are scored."""
        return self.config.get("test_split") or self.config.get("validation_split")

    @property
    def demonstration_split(self) -> str | None:
        """The split that demonstrations come from; None if the file lists them itself."""
        named = self._named_split()
        if named or self._lists_samples():
            return named
        keys = ("training_split", "validation_split", "test_split")
        return next((self.config[key] for key in keys if self.config.get(key)), None)

    @property
    def demonstrates_itself(self) -> bool:
        """Whether lm-eval would draw demonstrations from the evaluated items, an item's own
        document included.

        It excludes that document only where the file names the split for demonstrations and it is
        the test split (lm-eval issue 4145).
        """
        if self.config.get("output_type") == "loglikelihood_rolling" or self._lists_samples():
            return False
        split = self._named_split()
        if self.demonstration_split != self.evaluated_split:
            return False
        return split is None or split != self.config.get("test_split")

    @property
    def shares_split(self) -> bool:
        """Whether items and demonstrations come from the same split."""
        return self.demonstration_split is not None and (
            self.demonstration_split == self.evaluated_split
        )

    @property
    def fixes_zero_shots(self) -> bool:
        """Whether the file fixes zero shots; lm-eval then ignores any other number."""
        return self.config.get("num_fewshot") == 0

    @property
    def metrics(self) -> list[str]:
        """The metrics that the file lists; empty if it uses lm-eval's defaults."""
        metrics = self.config.get("metric_list") or []
        return [str(metric["metric"]) for metric in metrics if isinstance(metric, dict)]

    def _named_split(self) -> str | None:
        fewshot = self.config.get("fewshot_config") or {}
        return fewshot.get("split") or self.config.get("fewshot_split")

    def _lists_samples(self) -> bool:
        fewshot = self.config.get("fewshot_config") or {}
        return self._named_split() is None and fewshot.get("samples") is not None


def is_staged(entry: TaskEntry) -> bool:
    """Whether the task's data can be read without a network: local, or in the datasets cache."""
    path = entry.config.get("dataset_path")
    if entry.config.get("custom_dataset") is not None or path in ("json", "csv", "parquet"):
        return True
    if path is None or Path(path).exists():
        return path is not None
    import datasets

    return (Path(datasets.config.HF_DATASETS_CACHE) / str(path).replace("/", "___")).is_dir()
