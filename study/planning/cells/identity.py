"""The identity of a cell: of its responses, and of how these are scored.

In: what is planned at a position. Out: two nested mappings, whose digests are the keys. This is the
only place where an identity is made. What runs later compares what it uses with it, and the prompt
cache is indexed by its part `prompts`.
"""

from __future__ import annotations

from typing import Any

from study.config.arms import Arm
from study.config.scorers import TASK_METRIC
from study.config.tasks import ListedTask
from study.models.chat_templates.rendering import Rendering
from study.models.chat_templates.thinking import thinking_markers
from study.models.interventions import intervention
from study.models.weights import ModelFacts
from study.planning.resolving.resolved_study import ResolvedStudy
from study.results.identity import Identity
from study.tasks.items import TaskItems
from study.tasks.prompt_forms import PromptContext, prompt_form

ENGINE = "shared-prefix"
"Our own inference engine."
VLLM = "vllm"
"The beginning of the name of vLLM, which its version follows."


def model_identity(
    resolved: ResolvedStudy, facts: ModelFacts, arm: Arm, *, by_vllm: bool
) -> Identity:
    """Everything about the model that can move a response; `by_vllm`: whether vLLM generates it."""
    identity: Identity = {
        "weights": facts.weights,
        "generation": facts.generation,
        "tokenizer": facts.tokenizer,
        "dtype": resolved.study.dtype,
        "engine": f"{VLLM} {resolved.vllm}" if by_vllm else ENGINE,
    }
    if arm.interventions:
        identity["interventions"] = [
            {"name": name, **intervention(name).identity()} for name in arm.interventions
        ]
    return identity


def prompts_identity(
    resolved: ResolvedStudy,
    arm: Arm,
    task: ListedTask,
    items: TaskItems,
    *,
    demonstrations: str | None,
    demonstrator: TaskItems | None,
    kept: str | None,
    reads: str | None,
    rendering: Rendering | None,
) -> Identity:
    """Everything that can move a prompt, or what is requested after it.

    `demonstrations` is the digest of the draw, `demonstrator` the task that they come from if it is
    another one, `kept` the digest of how many of them each item keeps, `reads` the key of the
    responses that are part of the prompt, `rendering` what the chat template is rendered from.
    """
    study, form = resolved.study, prompt_form(arm)
    identity: Identity = {
        "task": {
            "name": task.task,
            "version": items.version,
            "items": items.digest,
            "documents": items.documents,
            "configuration": items.prompt_configuration,
        },
        "limit": study.limit,
        "arm": arm.identity(),
        "demonstrations": demonstrations,
        "kept": kept,
    }
    if rendering is not None:
        identity["rendering"] = rendering.identity()
    if arm.thinks and rendering is not None and (markers := thinking_markers(rendering)):
        identity["thinking_markers"] = markers.identity()
    if resolved.scorer is not None:
        identity["generation"] = study.answers.generation()
    if form is not None or study.answers.choose != TASK_METRIC:
        identity["layout"] = study.layout.model_dump(mode="json")
        identity["fields"] = [list(task.fields.items()), task.options]
    if form is not None:
        identity["form"] = form.identity(PromptContext(study))
    if demonstrator is not None:
        configuration = demonstrator.prompt_configuration
        identity["demonstrator"] = {"name": demonstrator.task, "configuration": configuration}
    if reads is not None:
        identity["reads"] = reads
    return identity


def scorer_identity(
    resolved: ResolvedStudy, arm: Arm, task: ListedTask, items: TaskItems
) -> Identity:
    """Everything that can move the score of given responses."""
    study, scorer = resolved.study, resolved.scorer
    metric: dict[str, Any] = {"metric": task.metric, "scale": task.scale}
    if scorer is None:
        return {**metric, "configuration": items.scoring_configuration}
    identity = {
        **metric,
        **scorer.identity(study.answers),
        "layout": study.layout.model_dump(mode="json"),
        "options": task.options,
    }
    if study.answers.extraction == "as_released":  # the one rule that differs between roles
        identity["role"] = arm.role
    return identity
