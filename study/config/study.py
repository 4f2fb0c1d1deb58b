"""A study as it stands in `study.yaml`: validated on reading, frozen afterwards.

In: a run's folder with `study.yaml`. Out: a `Study`. `validation` turns every fault into a
`StudyError` that names the file, the key, what was found and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from study.config.analysis import AnalysisChoices, Contrast, Name
from study.config.arms import parse_arm
from study.config.entries import ArmEntry, PairEntry, TaskEntries
from study.config.executors import JobResources
from study.config.tuning.recipes import Tuning
from study.config.wording import LAYOUTS, SOURCE, Layout
from study.errors import StudyError, listed, nearest
from study.scorers.extraction import Answers
from study.validation import Strict, validated

FILE_NAME = "study.yaml"


def _layout(value: Any) -> Any:
    if isinstance(value, str):
        if value not in LAYOUTS:
            raise ValueError(f"one of {listed(LAYOUTS)}, or a mapping. {nearest(value, LAYOUTS)}")
        return LAYOUTS[value]
    return value


class Study(Strict):
    """Everything that a run is asked to do."""

    name: Name
    "The study's name."
    pairs: list[PairEntry] = Field(default_factory=list)
    "The (base, tuned) pairs; without arms, those of imported scores that the registry lacks."
    tuning: Tuning = Field(default_factory=Tuning)
    "Pairs whose tuned model is made here: mixtures, losses and recipes."
    layout: Annotated[Layout, BeforeValidator(_layout)] = SOURCE
    "Words around fields, answers and options: `source`, `zoo`, or a mapping."
    answers: Answers = Field(default_factory=Answers)
    "How answers are taken from what models write."
    arms: list[ArmEntry] = Field(default_factory=list)
    "Ways of asking the models; none: imported scores only."
    tasks: TaskEntries = Field(default_factory=list)
    "What is asked."
    contrasts: list[Contrast] = Field(min_length=1)
    "Which arms are correlated; the first is the main one."
    draws: int = Field(default=3, ge=1, le=100)
    "Demonstration draws of every arm with demonstrations."
    seed: int = Field(default=0, ge=0)
    "Seed of the demonstration draws."
    limit: int | None = Field(default=None, ge=1)
    "At most so many items a task; the first ones. None: all."
    task_folders: list[str] = Field(default_factory=list)
    "Folders with further lm-eval task files, relative to the study file."
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    "Number format of the models; `auto` is the one in their configuration."
    allow_pickled_weights: bool = False
    "Whether weights may come from pickle files, which can run code when they are read."
    trust_remote_code: bool = False
    "Whether code that comes with a model may be run."
    analysis: AnalysisChoices = Field(default_factory=AnalysisChoices)
    "What the analysis leaves to the study."
    slurm: list[JobResources] = Field(default_factory=list)
    "What jobs are given on a cluster, by the size of their model."

    @model_validator(mode="after")
    def _names_agree(self) -> Study:
        pairs = [*self.pairs, *self.tuning.recipes]
        parts = {"pairs": pairs, "arms": self.arms, "tasks": self.tasks}
        if lacking := [name for name, part in parts.items() if not part]:
            if self.arms or {"pairs", "tasks"} <= parts.keys() - set(lacking):
                raise ValueError(
                    f"{lacking[0]}: one at least, found none (a study of imported scores only "
                    "has no arms)"
                )
            return self
        arms = self.arm_names()
        if len(set(arms)) != len(arms):
            twice = sorted({name for name in arms if arms.count(name) > 1})
            raise ValueError(f"arms: each arm once, found {listed(twice)} twice")
        self._check_forms()
        names = [contrast.name for contrast in self.contrasts]
        if len(set(names)) != len(names):
            raise ValueError("contrasts: each contrast with a name of its own")
        for i, contrast in enumerate(self.contrasts):
            for axis in ("x", "y"):
                if (arm := getattr(contrast, axis)) not in arms:
                    raise ValueError(
                        f"contrasts[{i}].{axis}: one of the study's arms, {listed(arms)}, "
                        f"found {arm!r}. {nearest(arm, arms)}".strip()
                    )
        return self

    def _check_forms(self) -> None:
        """ValueError for arms whose form needs what the study does not have."""
        forms = {parse_arm(name).form: name for name in self.arm_names()}
        for form in ("writes", "written"):
            if form in forms and self.answers.choose == "task":
                raise ValueError(
                    f"answers.choose: exact or similarity, for {forms[form]} is asked; found task"
                )
        if "written" in forms and "writes" not in forms:
            raise ValueError(
                f"arms: an arm that writes, such as tuned-0shot-chat-writes, for "
                f"{forms['written']}; found none"
            )
        markers = {indicator.marker for indicator in self.tuning.indicators.values()}
        if len(markers) > 1 or ("marked" in forms and not markers):
            raise ValueError(
                f"tuning.indicators: one marker for all, found {listed(sorted(markers))}"
            )

    def marker(self) -> str:
        """The context indicator's marker, of which a study has one."""
        return next(iter(self.tuning.indicators.values())).marker

    @property
    def runs(self) -> bool:
        """Whether there is anything to run, or imported scores only."""
        return bool(self.arms)

    def arm_names(self) -> list[str]:
        """The arms' names in their order."""
        return [arm if isinstance(arm, str) else arm.name for arm in self.arms]

    def draws_of(self, arm: str) -> int:
        """How many draws the arm has; an arm without demonstrations has one, of none."""
        if parse_arm(arm).shots == 0:
            return 1
        own = [
            entry.draws for entry in self.arms if not isinstance(entry, str) if entry.name == arm
        ]
        return own[0] if own else self.draws

    def digest(self) -> str:
        """sha256 of all that decides which cells there are; how they are read and where they are
        computed does not."""
        parts = self.model_dump(mode="json", exclude={"contrasts", "analysis", "slurm"})
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def study_file(run: Path) -> Path:
    """The run's study file; a StudyError if the folder or the file is not there."""
    if not run.is_dir():
        near = nearest(run.name, (p.name for p in run.parent.glob("*") if p.is_dir()))
        raise StudyError(run, found="no such folder", expected="a run's folder", do=near)
    if not (run / FILE_NAME).is_file():
        raise StudyError(
            run,
            found=f"no {FILE_NAME}",
            expected=f"a folder that holds {FILE_NAME}",
            do="Copy runs/demo/study.yaml there and change it",
        )
    return run / FILE_NAME


def read_study(run: Path) -> Study:
    """Reads and validates `run/study.yaml`."""
    return validated(Study, study_file(run))
