"""The training loop: transformers' Trainer over steps of packed, label-weighted documents.

In: a model, a recipe's rows, a folder for checkpoints. Out: the model, trained in place, and the
loss of every step. Optimiser, schedule, clipping, mixed precision and checkpoints are the
Trainer's; ours are what a step holds and what is minimised. A step is a number of examples, however
many passes they take, so that neither packing nor the memory of a device changes what is learned.

Killed at any moment, the same call goes on from the last whole checkpoint with the same numbers.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import Trainer, TrainingArguments

from study.config.tuning.grids import Recipe
from study.config.tuning.methods import Loss, Optimiser
from study.errors import StudyError
from study.results.files import write_whole
from study.tuning.data.examples import Labelled
from study.tuning.training.objective import (
    Batch,
    log_probabilities,
    noisy_embeddings,
    objective,
    step_batches,
)
from study.tuning.training.packed_sequences import Packed, packed

MARKER = "complete.json"
"In a checkpoint, written last: with it the checkpoint is whole."
DIVERGED = 3.0
"Times the loss of guessing at random: no training comes back from there."


class Steps(Dataset[list[Packed]]):
    """What each step of a training reads: every example once an epoch, in an order by the seed."""

    def __init__(
        self, rows: Sequence[Labelled], optimiser: Optimiser, *, longest: int, pad: int, seed: int
    ) -> None:
        self.rows, self.optimiser, self.longest, self.pad = rows, optimiser, longest, pad
        rng = np.random.default_rng(seed)
        examples = math.ceil(len(rows) * optimiser.epochs)
        orders = [rng.permutation(len(rows)) for _ in range(math.ceil(optimiser.epochs))]
        self.order = np.concatenate(orders)[:examples]

    def __len__(self) -> int:
        return math.ceil(len(self.order) / self.optimiser.batch)

    def __getitem__(self, step: int) -> list[Packed]:
        size = self.optimiser.batch
        chosen = [self.rows[i] for i in self.order[step * size : (step + 1) * size]]
        return packed(
            chosen, longest=self.longest, tokens_at_once=self.optimiser.tokens_at_once,
            pad=self.pad, packing=self.optimiser.packing,
        )  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """What training left behind beside weights."""

    losses: list[float]
    "Of every step."
    tokens: int
    "Read by this process, without padding."
    seconds: float
    "Of this process."
    resumed_at: int
    "The step at which this process went on; 0 if it began."

    def told(self) -> dict[str, float | int]:
        """What of it stands in a tuned model's record."""
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
        self, *, key: str, loss: Loss, reference: Callable[[Batch], torch.Tensor] | None,
        on_step: Callable[[int, float], object], **rest: Any,
    ) -> None:  # fmt: skip
        super().__init__(**rest)
        self.key, self.loss, self.reference, self.on_step = key, loss, reference, on_step
        self.losses: list[float] = []
        self.tokens = 0
        self.worst = DIVERGED * math.log(self.model.get_input_embeddings().weight.shape[0])

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
        if not math.isfinite(loss) or loss > max(self.worst, DIVERGED * self.losses[0]):
            raise StudyError(
                "tuning", found=f"a loss of {loss} at step {len(self.losses)}, after "
                f"{self.losses[0]} at the first",
                expected="a loss that falls",
                do="Lower the optimiser's learning_rate, or raise its warmup",
            )  # fmt: skip
        self.on_step(len(self.losses), loss)

    def _save_checkpoint(self, *arguments: Any, **named: Any) -> None:
        super()._save_checkpoint(*arguments, **named)
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        told = {"key": self.key, "losses": self.losses}
        write_whole(folder / MARKER, json.dumps(told).encode())


def train(
    model: Any,
    rows: Sequence[Labelled],
    recipe: Recipe,
    *,
    key: str,
    folder: Path,
    device: str,
    longest: int,
    pad: int,
    reference: Callable[[Batch], torch.Tensor] | None = None,
    on_step: Callable[[int, float], object] = lambda step, loss: None,
) -> Curve:
    """Trains `model` in place; `folder` holds the checkpoints of this `key` alone."""
    steps = Steps(rows, recipe.optimiser, longest=longest, pad=pad, seed=recipe.seed)
    trainer = _StepTrainer(
        key=key,
        loss=recipe.loss,
        reference=reference,
        on_step=on_step,
        model=model,
        args=_arguments(recipe, folder, device, len(steps)),
        train_dataset=steps,
        data_collator=lambda batch: {"parts": batch[0]},
    )
    for callback in [type(each) for each in trainer.callback_handler.callbacks]:
        if callback.__name__ in ("PrinterCallback", "ProgressCallback"):
            trainer.remove_callback(callback)
    last = whole_checkpoint(folder, key)
    if last is not None:
        trainer.losses = json.loads((last / MARKER).read_text())["losses"]
    begun, started = len(trainer.losses), time.perf_counter()
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    seconds = time.perf_counter() - started
    return Curve(trainer.losses, trainer.tokens, seconds, begun)


def _arguments(recipe: Recipe, folder: Path, device: str, steps: int) -> TrainingArguments:
    optimiser = recipe.optimiser
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,  # a step of ours is one element of the data
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


def whole_checkpoint(folder: Path, key: str) -> Path | None:
    """The latest checkpoint that was written to its end; those that were not are removed.
    StudyError for one of another recipe."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1]))
    whole = [path for path in found if (path / MARKER).is_file()]
    for path in set(found) - set(whole):
        shutil.rmtree(path)
    if not whole:
        return None
    of = json.loads((whole[0] / MARKER).read_text())["key"]
    if of != key:
        raise StudyError(whole[0], found=f"a checkpoint of the recipe {of}",
                         expected=f"one of {key}",
                         do="Remove the folder: this recipe then begins anew")  # fmt: skip
    return whole[0]


def reference_of(base: Any) -> Callable[[Batch], torch.Tensor]:
    """The base model's log-probabilities at a batch's places; the base is not trained."""

    def read(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            return log_probabilities(base, batch)

    return read
