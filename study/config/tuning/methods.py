"""Tuning methods in study.yaml: losses, context indicators, optimisers, adapters.

In: entries under `tuning`. Out: frozen models of them. What each label mask means is explained in
`study.tuning.data.label_weights`, which implements them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from study.validation import MAX_COUNT, Strict

LabelMask = Literal["output", "instruction_and_output", "all", "weighted", "output_diluted"]
"Names of label masks: which tokens carry loss."


class Loss(Strict):
    """Which tokens carry loss, and what is added to the likelihood."""

    over: LabelMask = "output"
    "The label mask."
    instruction_weight: float | None = Field(default=None, ge=0, le=1000)
    "With `over: weighted`: weight of an instruction token relative to an output token."
    normalise: Literal["token", "example"] = "token"
    "Mean over all tokens of a step, or mean over examples of each example's mean."
    neftune: float = Field(default=0.0, ge=0, le=1000)
    "Alpha of the noise on input embeddings (Jain et al. 2024); 0 for none."
    kl: float = Field(default=0.0, ge=0, le=1000)
    "Weight of the divergence from the base model, over the full vocabulary."
    kl_as_released: bool = False
    "Use the surrogate that Shi et al. (2024) released instead: log-ratios of the target tokens."

    @model_validator(mode="after")
    def _check_combination(self) -> Loss:
        if (self.over == "weighted") != (self.instruction_weight is not None):
            raise ValueError("instruction_weight: required with `over: weighted`, and only there")
        if self.kl_as_released and not self.kl:
            raise ValueError("kl: a weight above zero, since `kl_as_released` is set")
        return self


class Indicator(Strict):
    """How context-dependent turns are detected, and what marks them."""

    choose: Literal["score", "random", "length"] = "score"
    """Turns by their score, or one of two controls of the same number: random turns, or those with
    the longest user turns."""
    marked: Literal["token", "text", "weight"] = "token"
    """What marks a turn: a new token with a trained embedding, plain text, or a higher weight of
    its output without any marker."""
    marker: str = "[IND]"
    "The marker, appended to a user turn."
    weight: float = Field(default=2.0, gt=0, le=1000)
    "With `marked: weight`: factor on the weight of the turn's output."
    seed_model: str
    "Folder or hub name of the model whose attention scores the turns."
    layer: int | None = Field(default=None, ge=0, le=1000)
    "The layer whose attention is read; by default the one at two thirds of the depth."
    heads: Literal["outside", "inside"] = "outside"
    "Whether one head is chosen for the whole turn (the definition), or one for each token."
    threshold: float = Field(default=0.6, gt=0, lt=1)
    "Turns with a higher score depend on their context."


class Optimiser(Strict):
    """Optimiser, schedule, and the shape of a step."""

    learning_rate: float = Field(default=5e-5, gt=0, le=1000)
    batch: int = Field(default=16, ge=1, le=1_000_000)
    "Examples per step."
    epochs: float = Field(default=1.0, gt=0, le=1000)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    "Share of the steps."
    weight_decay: float = Field(default=0.0, ge=0, le=10)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0, le=1)
    clip: float = Field(default=1.0, gt=0, le=10**12)
    "Maximum norm of the gradient."
    precision: Literal["float32", "bfloat16"] = "float32"
    gradient_checkpointing: bool = False
    packing: bool = True
    "Pack several documents into one row, without attention between them."
    longest: int | None = Field(default=None, ge=8, le=MAX_COUNT)
    "Maximum length of a row in tokens; by default the model's context window."
    tokens_at_once: int = Field(default=16384, ge=64, le=MAX_COUNT)
    "Tokens of one forward pass; a step takes as many passes as it needs."
    checkpoint_steps: int = Field(default=200, ge=1, le=MAX_COUNT)
    "Steps between the checkpoints from which an interrupted training resumes."


class Adapter(Strict):
    """Low-rank adapters instead of full fine-tuning (Hu et al. 2021); merged when saved."""

    r: int = Field(default=64, ge=1, le=100_000)
    alpha: int = Field(default=16, gt=0, le=100_000)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    modules: list[str] | Literal["all-linear"] = "all-linear"
    "Names of the adapted modules."
    save: list[str] = Field(default_factory=list)
    "Modules that are trained in full; the embedding of a new marker always is."
    bits: Literal[4, 8] | None = None
    "Quantise the base weights; requires bitsandbytes and a GPU."


PLAIN_LOSSES: dict[str, Loss] = {
    over: Loss(over=over) for over in ("output", "instruction_and_output", "all", "output_diluted")
}
"Losses that need no entry in the study file: the label masks without parameters."
