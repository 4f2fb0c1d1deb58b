"""What the chat templates of a study are rendered from, in each of its arms with a template.

In: a study with its pairs, facts about their models. Out: a `Rendering` for each pair and arm, or
why there is none, which concerns that model alone. Arguments of the arm override those of the pair;
a template gets those that it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from study.config.arms import Arm, Scalar, parse_arm
from study.config.study import Study
from study.errors import StudyError, listed, nearest
from study.models.pairs import ModelRef, Pair
from study.models.template_rendering import Rendering, argument_names, read_arguments
from study.models.tokenizers import cached_tokenizer, model_rendering
from study.models.weights import ModelFacts

Renderings = dict[tuple[str, str], Rendering | str]
"By pair and arm with a chat template, what it is rendered from, or why it cannot be."


def study_renderings(
    study: Study, pairs: Sequence[Pair], models: Mapping[ModelRef, ModelFacts | str]
) -> Renderings:
    """All renderings; StudyError for an argument that no template reads."""
    arms = [arm for arm in map(parse_arm, study.arm_names()) if arm.template]
    renderings: Renderings = {}
    given: dict[str, list[Rendering | str]] = {}
    for pair in pairs:
        facts = models[pair.tuned]
        for arm in arms:
            options = study.arm_options(arm.name)
            arguments = {**pair.template_arguments, **options.template_arguments}
            result = facts if isinstance(facts, str) else _rendering(study, facts, arm, arguments)
            renderings[pair.name, arm.name] = result
            for name in arguments:
                given.setdefault(name, []).append(result)
    for name, results in given.items():
        _check_argument(study, name, results)
    return renderings


def _rendering(
    study: Study, facts: ModelFacts, arm: Arm, arguments: Mapping[str, Scalar]
) -> Rendering | str:
    try:
        tokenizer = cached_tokenizer(facts.folder, facts.overrides)
        return model_rendering(
            facts.folder,
            facts.overrides,
            date=study.date,
            arguments=read_arguments(tokenizer, arguments),
            turns=1 + arm.shots if arm.multiturn else 1,
        )
    except StudyError as error:  # the tokenizers of other models may be usable
        return str(error)


def _check_argument(study: Study, name: str, results: Sequence[Rendering | str]) -> None:
    """StudyError if none of the templates that get an argument reads it: it is misspelt."""
    known = [result for result in results if isinstance(result, Rendering)]
    read = {other for result in known for other in argument_names(result)}
    if len(known) < len(results) or name in read:
        return
    raise study.error(
        f"template_arguments.{name}",
        found="an argument that no chat template of these models reads",
        expected=f"one of {listed(sorted(read))}" if read else "none: their templates read none",
        do=nearest(name, read),
    )
