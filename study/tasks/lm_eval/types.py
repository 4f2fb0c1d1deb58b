"""The seam to lm-eval: what this package uses of its tasks, requests and models.

lm-eval 0.4.13 has no types of its own. These protocols list every attribute that is used here, so
that a change in lm-eval shows in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

LmEvalDocument = dict[str, Any]
"One document of a data set, as lm-eval's functions take it."


class LmEvalRequest(Protocol):
    """One request to a model (lm_eval.api.instance.Instance)."""

    request_type: str
    args: tuple[Any, ...]
    "(context, continuation) or (context, generation arguments)."
    resps: list[Any]
    filtered_resps: dict[str, Any]
    "Filtered responses by filter name."
    repeats: int | None


class LmEvalConfig(Protocol):
    """The configuration of a task (lm_eval.api.task.TaskConfig)."""

    doc_to_choice: Any
    doc_to_target: Any
    description: Any
    generation_kwargs: dict[str, Any] | None
    process_results: Any
    repeats: int


class LmEvalSampler(Protocol):
    """The source of demonstrations of a task (lm_eval.api.samplers.ContextSampler)."""

    def sample(self, n: int, eval_doc: Any = None, df: Any = None, **rest: Any) -> list[Any]:
        """The documents of `n` demonstrations for an item."""


class LmEvalTask(Protocol):
    """A loaded task (lm_eval.api.task.ConfigurableTask)."""

    OUTPUT_TYPE: str
    VERSION: Any
    config: LmEvalConfig
    multiple_input: Any
    sampler: LmEvalSampler
    _instances: Sequence[LmEvalRequest]
    _metric_fn_list: dict[str, Any]
    "Functions of metrics by name; None where the task has a function for its results."

    @property
    def eval_docs(self) -> Iterable[LmEvalDocument]:
        """The documents whose items are scored."""

    def fewshot_docs(self) -> Iterable[LmEvalDocument] | None:
        """The documents that demonstrations come from."""

    def training_docs(self) -> Iterable[LmEvalDocument]:
        """The documents of the training split."""

    def doc_to_text(self, doc: LmEvalDocument, *rest: Any) -> Any:
        """The question of a document."""

    def doc_to_choice(self, doc: LmEvalDocument, *rest: Any) -> list[str]:
        """The choices of a document."""

    def doc_to_target(self, doc: LmEvalDocument, *rest: Any) -> Any:
        """The answer of a document, as text or as an index into its choices."""

    def doc_to_prefix(self, doc: LmEvalDocument) -> Any:
        """The beginning of the answer that is part of the prompt."""

    def fewshot_context(self, doc: LmEvalDocument, num_fewshot: int, **rest: Any) -> Any:
        """The prompt of a document; a list of prompts where choices are contexts."""

    def construct_requests(self, doc: LmEvalDocument, ctx: Any, **rest: Any) -> Any:
        """The requests of a document: one, or a list."""

    def apply_filters(self) -> Any:
        """Filter the responses of `_instances`."""

    def process_results(self, doc: LmEvalDocument, results: list[Any]) -> dict[str, Any]:
        """Metric values of a document from its filtered responses."""

    def aggregation(self) -> dict[str, Callable[[list[Any]], float]]:
        """How values of each metric are aggregated over items."""


class ThinkingResponse(Protocol):
    """A response without its thinking (study.inference)."""

    @property
    def text(self) -> str:
        """The answer."""

    @property
    def thinking_tokens(self) -> int:
        """Length of the thinking, with its markers."""

    @property
    def is_exhausted(self) -> bool:
        """Whether the budget ran out."""


class LmEvalModel(Protocol):
    """A loaded model (study.inference.SharedPrefixLM)."""

    model: Any
    "The transformers model."
    tokenizer: Any
    max_length: int
    prefix_token_id: int
    encoding: str | None
    "What decides token ids besides the texts; None if that is not known."

    def encoded(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, as the model reads them."""

    def continuation_lengths(self, requests: Sequence[LmEvalRequest]) -> list[int]:
        """Number of tokens that `loglikelihood` scores for every request."""

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The text generated after each context, up to the first stop string."""

    def generate_thinking(
        self, requests: Sequence[Any], format: Any, budget: int, disable_tqdm: bool = False
    ) -> Sequence[ThinkingResponse]:
        """The answer to each context after at most `budget` tokens of thinking."""

    def report(self) -> dict[str, Any]:
        """Which path the requests since the last report took, and what the probe measured."""

    def plain_path(self, reason: str) -> Any:
        """Context in which every request takes lm-eval's own path, for that reason."""

    def generating_by(self, name: str, generator: Any) -> Any:
        """Context in which `generator` generates in the engine's place."""

    def resuming(
        self,
        tokens: dict[str, list[int]],
        texts: dict[str, str],
        on_step: Callable[[], object],
    ) -> Any:
        """Context in which generation begins with these responses, by request, and extends them.

        `on_step` is called whenever it has done so.
        """
