"""Generation that continues token ids: by shared prefixes where possible, else by transformers.

In: prompts as token ids, what was generated after each before an interruption. Out: the tokens
generated after each prompt. By transformers, one prompt is continued at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch

from study.inference.generation.arguments import is_sampled
from study.inference.generation.progress import GenerationProgress
from study.inference.generation.response_end import ResponseEnd
from study.inference.lm_eval_model.generation_requests import GenerationLM


class TokenGenerationLM(GenerationLM):
    """lm-eval's `hf` model with generation from token ids."""

    def _generate_tokens(
        self,
        prompts: Sequence[list[int]],
        generated: Sequence[list[int]],
        names: Sequence[str],
        end: ResponseEnd,
        options: dict[str, Any],
        disable_tqdm: bool,
    ) -> None:
        """Extend `generated` in place until every response is finished.

        `options` are generation arguments without stop strings and lengths; if they ask for
        sampling, each response is seeded with its name.
        """
        if not prompts:
            return
        progress = self._progress or GenerationProgress()
        reason = self._reason_for_plain_generation(options)
        with self._progress_bar(len(prompts), "prompt", disable_tqdm) as bar:
            if not reason:
                self._search(prompts, generated, end, progress.on_step, bar.update)
                return
            for prompt, tokens, name in zip(prompts, generated, names, strict=True):
                if not end.is_reached(tokens):
                    tokens.clear()  # begun in a packed batch
                    seed = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
                    tokens += self._continued(prompt, end, options, seed)
                    progress.on_step()
                bar.update(1)

    def _continued(
        self,
        prompt: Sequence[int],
        end: ResponseEnd,
        options: dict[str, Any],
        seed: int,
    ) -> list[int]:
        """The tokens that transformers generates after one prompt, as `hf` calls it."""
        from transformers import StoppingCriteriaList

        if self.backend != "causal":
            raise ValueError("an encoder-decoder model does not continue its prompt")
        options = dict(options)
        if not is_sampled(options):
            options.pop("temperature", None)
            options["do_sample"] = False

        def stops(ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            stop = end.contains_stop_string(ids[0, len(prompt) :].tolist())
            return torch.tensor([stop], device=ids.device)

        ids = torch.tensor([list(prompt)], device=self.device)
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            output = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=end.max_tokens,
                stopping_criteria=StoppingCriteriaList([stops]),
                pad_token_id=self.tokenizer.pad_token_id,
                use_cache=True,
                **options,
            )
        tokens: list[int] = output[0, len(prompt) :].tolist()
        return tokens
