"""lm-eval's `hf` model, loaded by somebody else.

In: a `ModelLoader`. Out: `hf` with what it loads, where and in the number format that `hf` decides
on. Without a loader, `hf` loads its model itself.
"""

from __future__ import annotations

from typing import Any, Protocol

from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils_hf import get_dtype


class ModelLoader(Protocol):
    """Loads one model."""

    def config(self) -> Any:
        """Its transformers configuration."""

    def tokenizer(self) -> Any:
        """Its tokenizer."""

    def model(self, **options: Any) -> Any:
        """The model; `options` are those of `from_pretrained`: number format and devices."""


class LoadedLM(HFLM):  # type: ignore[misc]
    """lm-eval's `hf` model, loaded by `loader` if there is one."""

    def __init__(self, *arguments: Any, loader: ModelLoader | None = None, **options: Any) -> None:
        """The arguments of `hf`."""
        self._loader = loader
        super().__init__(*arguments, **options)

    def _get_config(self, *arguments: Any, **options: Any) -> None:
        if self._loader is None:
            super()._get_config(*arguments, **options)
        else:
            self._config = self._loader.config()

    def _create_tokenizer(self, *arguments: Any, **options: Any) -> None:
        if self._loader is None:
            super()._create_tokenizer(*arguments, **options)
        else:
            self.tokenizer = self._loader.tokenizer()

    def _create_model(self, *arguments: Any, **options: Any) -> None:
        if self._loader is None:
            super()._create_model(*arguments, **options)
            return
        names = ("parallelize", "max_memory_per_gpu", "max_cpu_memory", "offload_folder", "gpus")
        devices = self._get_accelerate_args(
            device_map=None, **{name: options[name] for name in names if name in options}
        )
        self._model = self._loader.model(dtype=get_dtype(options["dtype"]), **devices)
