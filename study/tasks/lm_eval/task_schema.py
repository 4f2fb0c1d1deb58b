"""What a task file of lm-eval 0.4.13 may say, so that a wrong type is an error.

In: the configuration in a task file, functions as texts. Out: a frozen model that is not used any
further: lm-eval reads the file itself.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from study.validation import ALL_FIELDS, Strict, check_line

Line = Annotated[str, AfterValidator(check_line)]
Function = str
"A function (`!function module.name`), as its name."
Template = str
"A Jinja template, the name of a document's field, or a function."
Target = Template | Annotated[int, Field(ge=0)] | list[Any]


class _Lines(Strict):
    """A section whose texts may have several lines."""

    multiline = ALL_FIELDS


class Metric(_Lines):
    """A metric; further keys are arguments of its function."""

    model_config = ConfigDict(extra="allow")

    metric: Line
    aggregation: str | None = None
    higher_is_better: bool | None = None
    hf_evaluate: bool = False


class Filter(_Lines):
    """A function that changes responses; further keys are its arguments."""

    model_config = ConfigDict(extra="allow")

    function: Line


class FilterPipeline(_Lines):
    """Filters that are applied one after the other."""

    name: Line
    filter: list[Filter] = Field(min_length=1)
    metric_list: list[Metric] | None = None


class Generation(_Lines):
    """Arguments of generation."""

    model_config = ConfigDict(extra="allow")

    until: str | list[str] | None = None
    max_gen_toks: int | None = Field(default=None, ge=1, le=1_000_000)
    do_sample: bool = False
    temperature: float | None = Field(default=None, ge=0, le=100)


class Fewshot(_Lines):
    """How demonstrations are chosen and written."""

    sampler: Line = "default"
    split: Line | None = None
    process_docs: Function | None = None
    fewshot_indices: list[Annotated[int, Field(ge=0)]] | None = None
    samples: list[dict[str, Any]] | Function | None = None
    doc_to_text: Template | None = None
    doc_to_choice: Template | list[str] | dict[Any, str] | None = None
    doc_to_target: Target | None = None
    gen_prefix: str | None = None
    fewshot_delimiter: str | None = None
    target_delimiter: str | None = None


class TaskConfiguration(_Lines):
    """A task."""

    task: Line
    task_alias: str | None = None
    tag: str | list[str] | None = None
    custom_dataset: Function | None = None
    dataset_path: Line | None = None
    dataset_name: Line | None = None
    dataset_kwargs: dict[str, Any] | None = None
    training_split: Line | None = None
    validation_split: Line | None = None
    test_split: Line | None = None
    fewshot_split: Line | None = None
    process_docs: Function | None = None
    doc_to_text: Template | None = None
    doc_to_target: Target | None = None
    doc_to_image: Template | list[str] | None = None
    doc_to_audio: Template | list[str] | None = None
    unsafe_code: bool = False
    doc_to_choice: Template | list[str] | dict[Any, str] | None = None
    process_results: Function | None = None
    use_prompt: str | None = None
    description: Template = ""
    target_delimiter: str = " "
    fewshot_delimiter: str = "\n\n"
    fewshot_config: Fewshot | None = None
    num_fewshot: int | None = Field(default=None, ge=0, le=1000)
    metric_list: list[Metric] | None = Field(default=None, min_length=1)
    output_type: Literal[
        "loglikelihood", "loglikelihood_rolling", "generate_until", "multiple_choice"
    ] = "generate_until"
    generation_kwargs: Generation | None = None
    repeats: int = Field(default=1, ge=1, le=1000)
    filter_list: list[FilterPipeline] | None = None
    should_decontaminate: bool = False
    doc_to_decontamination_query: str | None = None
    gen_prefix: str | None = None
    metadata: dict[str, Any] | None = None
