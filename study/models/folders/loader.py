"""A model, its tokenizer and its configuration, loaded from the folder that the facts describe.

In: `ModelFacts`. Out: what `study.inference` needs of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.fact_cache import cached_fact, contents
from study.models.folders.contents import read_json
from study.models.folders.files import CONFIG, readable_files, relative_name
from study.models.folders.loading import check_generation_config, load_config, load_model, loaded
from study.models.tokenizers import (
    encode_prompts,
    load_tokenizer,
    tokenizer_files,
    tokenizer_sources,
)
from study.models.weights import ModelFacts


@dataclass(frozen=True)
class FolderLoader:
    """Loads one model; a `ModelLoader` of `study.inference`."""

    facts: ModelFacts
    allow_pickled_weights: bool

    def config(self) -> Any:
        """The transformers configuration of the model."""
        facts = self.facts
        folder = facts.base or facts.folder
        return load_config(folder, trust_remote_code=facts.trust_remote_code)

    def tokenizer(self) -> Any:
        """The tokenizer in the model's folder."""
        return load_tokenizer(self.facts.folder, self.facts.overrides)

    def model(self, **options: Any) -> Any:
        """The model; `options` are those of `from_pretrained`. ChangedError if a file changed
        after it was digested."""
        facts = self.facts
        model = load_model(
            facts.folder,
            trust_remote_code=facts.trust_remote_code,
            allow_pickled_weights=self.allow_pickled_weights,
            **options,
        )
        facts.check_files()
        return model


_loadable: set[tuple[object, ...]] = set()
"What was checked: a plan is made many times, and many models share a tokenizer."


def check_loadable(facts: ModelFacts) -> None:
    """StudyError if the configurations or the tokenizer of a model cannot be loaded.

    That they can is cached on disk: the check imports transformers and torch, which takes seconds.
    """
    folder = facts.base or facts.folder
    if (facts.weights, facts.generation) not in _loadable:
        known = readable_files(folder)
        files = (*known.config, *known.generation)
        content = None if facts.trust_remote_code else contents(files)
        cached_fact("configurations", content, lambda: _check_configurations(facts, folder), files)
        _loadable.add((facts.weights, facts.generation))
    # The class of a tokenizer may follow from the type of the model.
    model_type = str(read_json(folder / CONFIG).get("model_type"))
    if (facts.tokenizer, facts.overrides, model_type) not in _loadable:
        tokenizer = tokenizer_sources(facts.tokenizer, facts.folder, facts.overrides)
        # With the names of all files: one that is not part of the identity may not be opened.
        names = sorted(relative_name(path, facts.folder) for path in facts.folder.rglob("*"))
        sources = tokenizer and [tokenizer, model_type, names]
        files = tokenizer_files(facts.folder)
        cached_fact("tokenizers", sources, lambda: _check_tokenizer(facts), files)
        _loadable.add((facts.tokenizer, facts.overrides, model_type))


def _check_configurations(facts: ModelFacts, folder: Path) -> bool:
    load_config(folder, trust_remote_code=facts.trust_remote_code)
    check_generation_config(folder)
    return True


def _check_tokenizer(facts: ModelFacts) -> bool:
    tokenizer = load_tokenizer(facts.folder, facts.overrides)
    loaded(facts.folder, lambda: encode_prompts(tokenizer, ["a", "a b"]), "a tokenizer")
    return True
