"""What a study file says of how weights are moved: losses, indicators, optimisers, adapters.

In: entries under `tuning` in `study.yaml`. Out: frozen models of them. The names of losses are
explained where they are implemented, in `masks.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.validation import Strict

Carrying = Literal["output", "instruction_and_output", "all", "weighted", "output_diluted"]


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


PLAIN_LOSSES: dict[str, Loss] = {
    over: Loss(over=over) for over in ("output", "instruction_and_output", "all", "output_diluted")
}
