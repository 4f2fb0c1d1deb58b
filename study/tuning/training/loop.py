"""The training loop: transformers' Trainer over steps of packed, label-weighted examples.

In: a model, a recipe's examples, a folder for checkpoints. Out: the model, trained in place, and
the loss of every step. Optimiser, schedule, clipping, mixed precision and checkpoints are the
Trainer's; the content of a step and the loss are ours. A step is a number of examples, in as many
forward passes as they need, so that neither packing nor the device's memory changes the result.

After an interruption at any moment, the same call resumes from the last complete checkpoint and
gives the same numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainingArguments

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Loss
from study.errors import StudyError
from study.tuning.data.examples import LabelledExample
from study.tuning.training.checkpoints import checkpoint_losses, latest_checkpoint, mark_complete
from study.tuning.training.embedding_noise import noisy_embeddings
from study.tuning.training.objective import objective, step_batches
from study.tuning.training.reference_model import Reference
from study.tuning.training.steps import TrainingSteps

DIVERGED = 3.0
"Multiple of the loss of random guessing (and of the first loss) from which no training recovers."


@dataclass(frozen=True)
class TrainingCurve:
    """What a training leaves besides weights."""

    losses: list[float]
    "Loss of every step."
    tokens: int
    "Tokens read by this process, without padding."
    seconds: float
    "Time of this process."
    resumed_at: int
    "The step from which this process resumed; 0 if it started the training."

    def summary(self) -> dict[str, float | int]:
        """The part that enters a tuned model's record."""
        return {
            "steps": len(self.losses),
            "first_loss": self.losses[0],
            "last_loss": self.losses[-1],
            "tokens_per_second": self.tokens / self.seconds,
            "seconds": self.seconds,
            "resumed_at": self.resumed_at,
        }

    def table(self) -> str:
        """The losses as CSV."""
        lines = [f"{step},{loss!r}" for step, loss in enumerate(self.losses, start=1)]
        return "\n".join(["step,loss", *lines]) + "\n"


class _StepTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose batch is a whole step and whose loss is `objective`."""

    def __init__(
        self,
        *,
        key: str,
        loss: Loss,
        reference: Reference | None,
        on_step: Callable[[int, float], object],
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.key, self.loss, self.reference, self.on_step = key, loss, reference, on_step
        self.losses: list[float] = []
        self.tokens = 0
        vocabulary = self.model.get_input_embeddings().weight.shape[0]
        self.max_loss = DIVERGED * math.log(vocabulary)

    def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def floating_point_ops(self, inputs: Any) -> int:
        return 0

    def training_step(self, model: Any, inputs: Any, *_: Any, **__: Any) -> torch.Tensor:
        model.train()
        total = torch.zeros((), device=self.args.device)
        for batch in step_batches(inputs["parts"], self.loss, self.args.device):
            base = self.reference(batch) if self.reference else None
            with (
                self.compute_loss_context_manager(),
                noisy_embeddings(model, self.loss.neftune, batch),
            ):
                part = objective(model, batch, self.loss, base)
            self.accelerator.backward(part)
            total += part.detach()
            self.tokens += batch.tokens
        self._check(float(total))
        return total

    def _check(self, loss: float) -> None:
        self.losses.append(loss)
        if not math.isfinite(loss) or loss > max(self.max_loss, DIVERGED * self.losses[0]):
            raise StudyError(
                "tuning",
                found=f"a loss of {loss} at step {len(self.losses)}, after {self.losses[0]} at the "
                "first",
                expected="a loss that falls",
                do="Lower the optimiser's learning_rate, or raise its warmup",
            )
        self.on_step(len(self.losses), loss)

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        super()._save_checkpoint(*arguments, **options)
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        mark_complete(folder, self.key, self.losses)


def train(
    model: Any,
    rows: Sequence[LabelledExample],
    recipe: Recipe,
    *,
    key: str,
    folder: Path,
    device: str,
    max_length: int,
    pad: int,
    reference: Reference | None = None,
    on_step: Callable[[int, float], object] = lambda step, loss: None,
) -> TrainingCurve:
    """Train `model` in place. `folder` holds checkpoints of the recipe with this `key` only.

    StudyError if the loss diverges.
    """
    steps = TrainingSteps(rows, recipe.optimiser, max_length=max_length, pad=pad, seed=recipe.seed)
    trainer = _StepTrainer(
        key=key,
        loss=recipe.loss,
        reference=reference,
        on_step=on_step,
        model=model,
        args=_training_arguments(recipe, folder, device, len(steps)),
        train_dataset=steps,
        data_collator=lambda batch: {"parts": batch[0]},
    )
    for callback in [type(callback) for callback in trainer.callback_handler.callbacks]:
        if callback.__name__ in ("PrinterCallback", "ProgressCallback"):
            trainer.remove_callback(callback)
    checkpoint = latest_checkpoint(folder, key)
    if checkpoint is not None:
        trainer.losses = checkpoint_losses(checkpoint)
    resumed_at, start = len(trainer.losses), time.perf_counter()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - start
    return TrainingCurve(trainer.losses, trainer.tokens, seconds, resumed_at)


def _training_arguments(recipe: Recipe, folder: Path, device: str, steps: int) -> TrainingArguments:
    optimiser = recipe.optimiser
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,  # one element of the data set is a whole step
        learning_rate=optimiser.learning_rate,
        lr_scheduler_type=optimiser.schedule,
        warmup_steps=math.ceil(optimiser.warmup * steps),
        weight_decay=optimiser.weight_decay,
        adam_beta1=optimiser.beta1,
        adam_beta2=optimiser.beta2,
        adam_epsilon=optimiser.epsilon,
        max_grad_norm=optimiser.clip,
        optim="adamw_torch",
        bf16=optimiser.precision == "bfloat16",
        **({"gradient_checkpointing": True} if optimiser.gradient_checkpointing else {}),
        save_strategy="steps",
        save_steps=optimiser.checkpoint_steps,
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        use_cpu=device == "cpu",
        seed=recipe.seed,
    )
