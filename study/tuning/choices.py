"""What a study file says of tuning: mixtures, losses, indicators, optimisers, and recipes' grids.

In: the entry `tuning` of `study.yaml`. Out: frozen models of it. `grid.py` makes single recipes of
them; the names of formats and losses are explained where they are implemented, in `formats.py` and
`masks.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from study.choices import Name
from study.errors import listed, nearest
from study.validation import Strict

Format = Literal[
    "flan", "flan_neutral", "samplegen", "samplegen_corrupted", "samplegen_other_task",
    "samplegen_unanswered", "samplegen_neutral", "chat",
]  # fmt: skip
Carrying = Literal["output", "instruction_and_output", "all", "weighted", "output_diluted"]


class Source(Strict):
    """Where rows of a mixture come from: exactly one of `zoo`, `suite`, `task` and `file`."""

    zoo: list[str] | None = None
    "Skills of the zoo: questions drawn without end, never one that is asked in a test."
    suite: str | None = None
    "A suite of lm-eval tasks, each one's training split."
    only: list[str] | None = None
    "Only these tasks of the suite."
    task: str | None = None
    "One lm-eval task's training split."
    file: str | None = None
    "JSON lines with `messages`, or with `instruction` (and `input`) and `output`."
    name: str | None = None
    "What it is called; by default its task, skill or file."
    task_type: str = ""
    "Type of a task or file."
    shows: list[str] = Field(default_factory=list)
    "Tasks of which a file holds rows."
    wordings: list[str] = Field(default_factory=list)
    "Wordings of the instruction, in Jinja over a document's fields; else the task's own."
    fields: dict[str, str] = Field(default_factory=dict)
    "Label and Jinja text of each field in demonstrations; else the document's own fields."
    weight: float | None = Field(default=None, gt=0)
    "Its share of the rows, relative; else in proportion to its size, up to the cap."
    context: int = Field(default=0, ge=0)
    "Zoo: so many solved questions of another skill stand before the instruction, to lengthen it."

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        kinds = [kind for kind in ("zoo", "suite", "task", "file") if getattr(self, kind)]
        if len(kinds) != 1:
            raise ValueError(f"exactly one of zoo, suite, task and file, found {len(kinds)}")
        return self


class Mixture(Strict):
    """Rows to tune on, from several sources."""

    like: str | None = None
    "Another mixture, of which all holds that is not given here."
    sources: list[Source] = Field(default_factory=list)
    "What is mixed."
    only: list[str] = Field(default_factory=list)
    "Only sources of these names or task types."
    without: list[str] = Field(default_factory=list)
    "No sources of these names or task types."
    cap: int = Field(default=3000, ge=1)
    "Examples-proportional mixing: a source counts as no larger than this."
    rows: int | None = Field(default=None, ge=1)
    "Rows in all."
    tokens: int | None = Field(default=None, ge=1)
    "Or tokens in all, so that formats of unlike length may be compared."
    longer: Literal["refuse", "drop", "truncate"] = "refuse"
    "What becomes of rows longer than the model reads."


class Loss(Strict):
    """Which tokens carry loss, and what is added to it."""

    over: Carrying = "output"
    "Kinds of tokens."
    instruction_weight: float | None = Field(default=None, ge=0)
    "With `weighted`: the weight of an instruction's token beside an output's."
    normalise: Literal["token", "example"] = "token"
    "Mean over all tokens of a step, or over each example's and then over examples."
    neftune: float = Field(default=0.0, ge=0)
    "Noise on input embeddings, alpha of Jain et al. (2024)."
    kl: float = Field(default=0.0, ge=0)
    "Weight of the divergence from the base model, over the full vocabulary."
    kl_as_released: bool = False
    "Instead, the surrogate that Shi et al. (2024) released: log-ratios of the target tokens."

    @model_validator(mode="after")
    def _complete(self) -> Loss:
        if (self.over == "weighted") != (self.instruction_weight is not None):
            raise ValueError("instruction_weight: given with `over: weighted`, and only there")
        if self.kl_as_released and not self.kl:
            raise ValueError("kl: a weight above zero where `kl_as_released` is set")
        return self


class Indicator(Strict):
    """How context-dependent turns are told from others, and what marks them."""

    choose: Literal["score", "random", "length"] = "score"
    "By score; as many at random; or the longest user turns, as many (controls)."
    marked: Literal["token", "text", "weight"] = "token"
    "By a new token whose embedding is trained, by plain text, or by more weight and no marker."
    marker: str = "[IND]"
    "The marker, appended to a user turn."
    weight: float = Field(default=2.0, gt=0)
    "With `marked: weight`: how much more the turn's output weighs."
    seed_model: str
    "Folder or hub name of the model whose attention scores turns."
    layer: int | None = Field(default=None, ge=0)
    "The layer looked at; by default two thirds of the way up."
    heads: Literal["outside", "inside"] = "outside"
    "Whether the head is chosen for the whole turn (the definition) or anew for each token."
    threshold: float = Field(default=0.6, gt=0, lt=1)
    "Turns of a higher score depend on their context."


class Optimiser(Strict):
    """How weights are moved."""

    learning_rate: float = Field(default=5e-5, gt=0)
    batch: int = Field(default=16, ge=1)
    "Examples in a step."
    epochs: float = Field(default=1.0, gt=0)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    "Share of the steps."
    weight_decay: float = Field(default=0.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    clip: float = Field(default=1.0, gt=0)
    "Largest norm of the gradient."
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    packing: bool = True
    "Several documents in one row, none seeing another."
    longest: int | None = Field(default=None, ge=8)
    "Tokens of the longest row; by default the model's window."
    tokens_at_once: int = Field(default=16384, ge=64)
    "Tokens of one forward pass; a step takes as many passes as it needs."
    checkpoint_steps: int = Field(default=200, ge=1)
    "Steps between checkpoints, from which an interrupted training goes on."


class Adapter(Strict):
    """Low-rank adapters in place of full fine-tuning (Hu et al. 2021); merged when saved."""

    r: int = Field(default=64, ge=1)
    alpha: int = Field(default=16, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    modules: list[str] | Literal["all-linear"] = "all-linear"
    "Names of adapted modules."
    save: list[str] = Field(default_factory=list)
    "Modules that are trained whole; a new marker's embeddings always are."
    bits: Literal[4, 8] | None = None
    "Quantised base weights, where bitsandbytes and a GPU are."


def _many(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Base(Strict):
    """A base model given in full."""

    base: str
    "Folder or hub name."
    family: str
    params_b: float = Field(gt=0)
    "Parameters, 10⁹."
    name: str | None = None
    "What it is called in tables; by default the last part of `base`."
    revision: str | None = None


class ChosenBases(Strict):
    """Bases of the zoo's or the registry's pairs."""

    source: Literal["registry", "zoo"]
    family: list[str] | None = None
    pair: list[str] | None = None
    "Only the bases of these pairs."
    min_params_b: float = Field(default=0, ge=0)
    max_params_b: float = Field(default=float("inf"), gt=0)


class RecipeGrid(Strict):
    """Recipes: every base with every value of every list."""

    name: Name
    bases: list[ChosenBases | Base] = Field(min_length=1)
    mixture: Annotated[list[str], BeforeValidator(_many)] = Field(min_length=1)
    format: Annotated[list[Format], BeforeValidator(_many)] = Field(default=["flan"])
    "How a document is put before the model."
    loss: Annotated[list[str], BeforeValidator(_many)] = Field(default=["output"])
    indicator: Annotated[list[str], BeforeValidator(_many)] = Field(default=["none"])
    optimiser: Annotated[list[str], BeforeValidator(_many)] = Field(default=["default"])
    adapter: Annotated[list[str], BeforeValidator(_many)] = Field(default=["none"])
    "`none` is full fine-tuning."
    seed: Annotated[list[int], BeforeValidator(_many)] = Field(default=[0])
    template: str = "tokenizer"
    "The chat template: the tokenizer's own, `tulu`, `llama2`, `chatml`, or one in Jinja."


PLAIN_LOSSES: dict[str, Loss] = {
    over: Loss(over=over) for over in ("output", "instruction_and_output", "all", "output_diluted")
}


class Tuning(Strict):
    """Everything that a study tunes."""

    mixtures: dict[str, Mixture] = Field(default_factory=dict)
    losses: dict[str, Loss] = Field(default_factory=dict)
    "Beside `output`, `instruction_and_output`, `all` and `output_diluted`."
    indicators: dict[str, Indicator] = Field(default_factory=dict)
    optimisers: dict[str, Optimiser] = Field(default_factory=dict)
    adapters: dict[str, Adapter] = Field(default_factory=dict)
    recipes: list[RecipeGrid] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_are_known(self) -> Tuning:
        known = {
            "mixture": list(self.mixtures),
            "loss": [*PLAIN_LOSSES, *self.losses],
            "indicator": ["none", *self.indicators],
            "optimiser": ["default", *self.optimisers],
            "adapter": ["none", *self.adapters],
        }
        for i, grid in enumerate(self.recipes):
            for part, names in known.items():
                for name in getattr(grid, part):
                    if name not in names:
                        raise ValueError(
                            f"recipes[{i}].{part}: one of {listed(names)}, found {name!r}. "
                            f"{nearest(name, names)}".strip()
                        )
        for name, mixture in self.mixtures.items():
            if mixture.like is not None and mixture.like not in self.mixtures:
                raise ValueError(
                    f"mixtures.{name}.like: one of {listed(self.mixtures)}, found {mixture.like!r}"
                )
            self.mixture(name)
        return self

    def mixture(self, name: str) -> Mixture:
        """The mixture of that name, with what it takes from the one that it is like."""
        own, seen = self.mixtures[name], {name}
        given = {key: getattr(own, key) for key in own.model_fields_set - {"like"}}
        while own.like is not None:
            if own.like in seen:
                raise ValueError(f"mixtures.{name}.like: another mixture, found a circle")
            seen.add(own.like)
            own = self.mixtures[own.like]
            taken = {key: getattr(own, key) for key in own.model_fields_set - {"like"}}
            if {"rows", "tokens"} & given.keys():  # one of the two, whichever was given last
                taken = {key: v for key, v in taken.items() if key not in ("rows", "tokens")}
            given = {**taken, **given}
        whole = Mixture(**given)
        if not whole.sources:
            raise ValueError(f"mixtures.{name}.sources: one at least, found none")
        if (whole.rows is None) == (whole.tokens is None):
            raise ValueError(f"mixtures.{name}: either rows or tokens")
        return whole

    def loss(self, name: str) -> Loss:
        """The loss of that name."""
        return self.losses.get(name) or PLAIN_LOSSES[name]
