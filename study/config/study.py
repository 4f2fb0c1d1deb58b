"""A study as declared in `study.yaml`: validated when read, frozen afterwards.

In: a folder with `study.yaml`. Out: a `Study`, which knows its folder and raises the errors about
its own file. What the file may say is spread over the modules of this package, one for each
section.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, create_model, model_validator

from study.config.analysis import AnalysisChoices, Contrast
from study.config.arms import (
    PUBLISHED_ARMS,
    Arm,
    ArmEntry,
    ArmOptions,
    Engine,
    ImportedArm,
    ImportedArms,
    parse_arm,
)
from study.config.executors import EXECUTOR_KEYS, Resources
from study.config.pairs import PairEntry
from study.config.scorers import Answers
from study.config.tasks import TaskEntries
from study.config.tuning.recipes import Tuning
from study.config.wording import LAYOUTS, SOURCE, Layout
from study.errors import StudyError, listed, nearest
from study.validation import MAX_COUNT, MAX_SEED, Name, Strict, validated

FILE_NAME = "study.yaml"


def _named_layout(value: Any) -> Any:
    if isinstance(value, str):
        if value not in LAYOUTS:
            raise ValueError(f"one of {listed(LAYOUTS)}, or a mapping. {nearest(value, LAYOUTS)}")
        return LAYOUTS[value]
    return value


if TYPE_CHECKING:
    ExecutorSections = Strict
else:
    # One optional section for each executor that has resources, under its own key.
    ExecutorSections = create_model(
        "ExecutorSections",
        __base__=Strict,
        **{
            key: (list[resources], Field(default_factory=list))
            for key, resources in EXECUTOR_KEYS.items()
        },
    )


class Study(ExecutorSections):
    """Everything that a study file declares, and where the file is."""

    _folder: Path = PrivateAttr(default=Path())

    name: Name
    "The study's name."
    pairs: list[PairEntry] = Field(default_factory=list)
    "The (base, tuned) pairs; in a study of imported scores, those that the registry lacks."
    tuning: Tuning = Field(default_factory=Tuning)
    "Pairs whose tuned model the study trains: mixtures, losses and recipes."
    layout: Annotated[Layout, BeforeValidator(_named_layout)] = SOURCE
    "Wording around fields, answers and options: `source`, `zoo`, or a mapping."
    answers: Answers = Field(default_factory=Answers)
    "How responses are scored."
    arms: list[ArmEntry] = Field(default_factory=list)
    "Ways of prompting the models; empty in a study of imported scores."
    imported_arms: ImportedArms = Field(default_factory=dict)
    "Further arms of imported scores, by name."
    tasks: TaskEntries = Field(default_factory=list)
    "The tasks: a suite, or a list."
    contrasts: list[Contrast] = Field(min_length=1)
    "Pairs of arms whose scores are correlated; the first is the main one."
    draws: int = Field(default=3, ge=1, le=100)
    "Demonstration draws of every arm with demonstrations."
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    "Seed of the demonstration draws."
    limit: int | None = Field(default=None, ge=1, le=MAX_COUNT)
    "Evaluate only the first items of a task, at most this many; by default all."
    task_folders: list[str] = Field(default_factory=list)
    "Folders with further lm-eval task files, relative to the study file."
    date: dt.date = Field(default=dt.date(2026, 1, 1), strict=True)
    "What chat templates that print today's date take for it."
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    "Number format of the models; `auto` is the one in their configuration."
    engine: Engine = "shared-prefix"
    "What generates texts; choices are always compared by our own engine."
    allow_pickled_weights: bool = False
    "Whether weights may be read from pickle files, which can execute code."
    trust_remote_code: bool = False
    "Whether code that comes with a model may be executed."
    analysis: AnalysisChoices = Field(default_factory=AnalysisChoices)
    "Choices of the analysis."

    @model_validator(mode="after")
    def _check_markers(self) -> Study:
        markers = {indicator.marker for indicator in self.tuning.indicators.values()}
        if len(markers) > 1:
            raise ValueError(
                f"tuning.indicators: one marker for all, found {listed(sorted(markers))}"
            )
        return self

    @model_validator(mode="after")
    def _check_arms_and_contrasts(self) -> Study:
        complete = self._is_complete()
        for i, contrast in enumerate(self.contrasts):
            for axis in ("x", "y"):
                name = getattr(contrast, axis)
                try:
                    self.arm(name)
                except ValueError as error:
                    raise ValueError(f"contrasts[{i}].{axis}: {error}, found {name!r}") from None
        if not complete:
            return self
        arms = self.arm_names()
        if len(set(arms)) != len(arms):
            repeated = sorted({name for name in arms if arms.count(name) > 1})
            raise ValueError(f"arms: each arm once, found {listed(repeated)} twice")
        names = [contrast.name for contrast in self.contrasts]
        if len(set(names)) != len(names):
            raise ValueError("contrasts: a different name for each contrast")
        for i, contrast in enumerate(self.contrasts):
            if contrast.x == contrast.y:
                raise ValueError(f"contrasts[{i}]: two arms, found {contrast.x!r} twice")
            for axis in ("x", "y"):
                if (arm := getattr(contrast, axis)) not in {*arms, *self.published_arms}:
                    raise ValueError(
                        f"contrasts[{i}].{axis}: one of the study's arms, {listed(arms)}, "
                        f"found {arm!r}. {nearest(arm, arms)}".strip()
                    )
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Study:
        for arm in self.parsed_arms():
            if arm.engine == "vllm" and arm.interventions:
                raise ValueError(f"engine: shared-prefix for {arm.name}, which changes the model")
        return self

    def _is_complete(self) -> bool:
        """Whether pairs, arms and tasks are all there; ValueError if only some of them are."""
        sections = {
            "pairs": [*self.pairs, *self.tuning.recipes],
            "arms": self.arms,
            "tasks": self.tasks,
        }
        missing = [name for name, section in sections.items() if not section]
        if missing and (self.arms or {"pairs", "tasks"} <= sections.keys() - set(missing)):
            raise ValueError(
                f"{missing[0]}: one at least, found none (a study of imported scores has no arms)"
            )
        return not missing

    @property
    def folder(self) -> Path:
        """The folder of the study file; everything that it names is relative to it."""
        return self._folder

    @property
    def file(self) -> Path:
        """The study file."""
        return self._folder / FILE_NAME

    def error(self, key: str, *, found: object, expected: str, do: str = "") -> StudyError:
        """An error about a key of the study file, to be raised by the caller."""
        return StudyError(self.file, key, found=found, expected=expected, do=do)

    def located(self, folder: Path) -> Study:
        """The same study in another folder."""
        study = self.model_copy()
        study._folder = folder
        return study

    @property
    def runs(self) -> bool:
        """Whether the study evaluates models; otherwise it has imported scores only."""
        return bool(self.arms)

    def arm_names(self) -> list[str]:
        """Names of the arms in the order of the file."""
        return [arm if isinstance(arm, str) else arm.name for arm in self.arms]

    @property
    def published_arms(self) -> dict[str, ImportedArm]:
        """Arms that only imported scores can have, by name."""
        return {**PUBLISHED_ARMS, **self.imported_arms}

    def arm(self, name: str) -> Arm | ImportedArm:
        """The arm of a name; ValueError if it is neither declared nor the name of an arm that can
        be evaluated."""
        return self.published_arms.get(name) or parse_arm(name)

    def draws_of(self, arm: str) -> int:
        """Number of draws of an arm; one for an arm without demonstrations."""
        if parse_arm(arm).shots == 0:
            return 1
        return self.arm_options(arm).draws or self.draws

    def parsed_arms(self) -> list[Arm]:
        """The arms in the order of the file, with their budgets of thinking."""
        return [self.arm_options(name).arm(self.engine) for name in self.arm_names()]

    def arm_options(self, arm: str) -> ArmOptions:
        """The options of an arm; the defaults if the file gives its name alone."""
        for entry in self.arms:
            if isinstance(entry, ArmOptions) and entry.name == arm:
                return entry
        return ArmOptions.model_construct(name=arm)

    def marker(self) -> str:
        """The context indicator's marker; the caller checks that there is exactly one."""
        return next(iter(self.tuning.indicators.values())).marker

    def resources(self, executor: str) -> list[Resources]:
        """Resources of an executor by model size; empty if the study file has none."""
        return list(getattr(self, executor, ()))

    def digest(self, *, scoring: bool = True) -> str:
        """sha256 of everything that decides which cells there are; without `scoring`, which
        responses. How results are analysed and where cells are computed is not part of it."""
        excluded = {"contrasts", "analysis", "imported_arms", *EXECUTOR_KEYS}
        content = self.model_dump(mode="json", exclude=excluded)
        if not scoring:
            content["answers"] = self.answers.generation()
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def study_file(folder: Path) -> Path:
    """The folder's study file; StudyError if the folder or the file does not exist."""
    if not folder.is_dir():
        near = nearest(folder.name, (p.name for p in folder.parent.glob("*") if p.is_dir()))
        raise StudyError(folder, found="no such folder", expected="a run folder", do=near)
    if not (folder / FILE_NAME).is_file():
        raise StudyError(
            folder,
            found=f"no {FILE_NAME}",
            expected=f"a folder that contains {FILE_NAME}",
            do="Copy runs/demo/study.yaml there and edit it",
        )
    return folder / FILE_NAME


def read_study(folder: Path) -> Study:
    """Read and validate `folder/study.yaml`."""
    return validated(Study, study_file(folder)).located(folder)
