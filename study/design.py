"""A study as it stands in `study.yaml`: validated on reading, frozen afterwards.

In: a run's folder with `study.yaml`. Out: a `Study`. `validation` turns every fault into a
`StudyError` that names the file, the key, what was found and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from study.arms import parse_arm
from study.choices import AnalysisChoices, ArmName, Contrast, Name
from study.contract import Exposure
from study.errors import StudyError, listed, nearest
from study.forms.answers import Answers
from study.layout import LAYOUTS, SOURCE, Layout
from study.resources import JobResources
from study.tuning.choices import Tuning
from study.validation import Strict, validated

FILE_NAME = "study.yaml"


class ListedPair(Strict):
    """A pair given in full."""

    base: str
    "Folder or hub name of the base model."
    tuned: str
    "Folder or hub name of the tuned model."
    family: str
    "The family, the unit over which intervals are taken."
    params_b: float = Field(gt=0)
    "Parameters, 10⁹."
    name: str | None = None
    "Name of the pair in tables; by default the tuned model's."
    base_revision: str | None = None
    "Branch, tag or commit of the base model on the hub."
    tuned_revision: str | None = None
    "Branch, tag or commit of the tuned model on the hub."


class SelectedPairs(Strict):
    """Pairs picked from the registry of real models, or from the zoo."""

    source: Literal["registry", "zoo"]
    "Where the pairs are picked from."
    family: list[str] | None = None
    "Only these families."
    maker: list[str] | None = None
    "Only these makers."
    pair: list[str] | None = None
    "Only these pairs."
    min_params_b: float = Field(default=0, ge=0)
    "Smallest model, 10⁹ parameters."
    max_params_b: float = Field(default=float("inf"), gt=0)
    "Largest model, 10⁹ parameters."


class ListedTask(Strict):
    """One lm-eval task with what the study must know of it."""

    task: str
    "Its name in lm-eval."
    task_type: str
    "The type by which results are reported."
    metric: str
    "The metric, as lm-eval names it; with a filter as `metric,filter`."
    chance: float = Field(ge=0, lt=1)
    "The score of answering at random."
    scale: float = Field(default=1.0, gt=0)
    "What the metric is multiplied by to be a fraction; 0.01 for one in percent."
    max_shots: int | None = Field(default=None, ge=0)
    "Most demonstrations that the task can take; none given: any number."
    exposure: Exposure = ""
    "What the tuning mixture showed of it, where known."
    passage: str | None = None
    "The documents' field that several items share, a text that they all ask about."
    fields: dict[str, str] = Field(default_factory=dict)
    "Name and Jinja text of the fields that prompts show field by field; else the document's own."
    options: str | None = None
    "The documents' field that lists the options, where the task's file names none."
    items: int | None = Field(default=None, gt=0)
    "Number of items, used in estimates while the data is not at hand."
    tokens: int | None = Field(default=None, gt=0)
    "Tokens of one item, used likewise."


class SuiteTasks(Strict):
    """The tasks of a suite, or some of them."""

    suite: str
    "The suite's name, or a YAML file of the same form."
    only: list[str] | None = None
    "Only these tasks."
    task_type: list[str] | None = None
    "Only tasks of these types."


class ArmDraws(Strict):
    """An arm with a number of draws of its own."""

    name: ArmName
    draws: int = Field(ge=1, le=100)
    "Demonstration draws of this arm."


def _which(mapping: str, otherwise: str, key: str | None = None) -> Discriminator:
    """Tells the two forms of an entry apart: a mapping (that has `key`), or anything else."""

    def tell(value: Any) -> str:
        if key is None:
            return mapping if isinstance(value, dict | Strict) else otherwise
        has = key in value if isinstance(value, dict) else hasattr(value, key)
        return mapping if has else otherwise

    return Discriminator(tell)


PairEntry = Annotated[
    Annotated[SelectedPairs, Tag("<selected>")] | Annotated[ListedPair, Tag("<listed>")],
    _which("<selected>", "<listed>", key="source"),
]
ArmEntry = Annotated[
    Annotated[ArmDraws, Tag("<draws>")] | Annotated[ArmName, Tag("<name>")],
    _which("<draws>", "<name>"),
]
TaskEntries = Annotated[
    Annotated[SuiteTasks, Tag("<suite>")] | Annotated[list[ListedTask], Tag("<list>")],
    _which("<suite>", "<list>"),
]


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
