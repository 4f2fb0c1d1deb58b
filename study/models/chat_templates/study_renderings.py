"""What the chat templates of a study are rendered from, in each of its arms with a template.

In: a study with its pairs, facts about their models. Out: a `Rendering` for each pair and arm, or
why there is none, which concerns that model alone. Arguments of the arm override those of the pair;
a template gets those that it reads. In a thinking arm the template's switch is on; in any other
arm, a model that may think must have been told not to.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence

from study.config.arms import Arm, Scalar
from study.config.study import Study
from study.errors import StudyError, listed, nearest
from study.models.chat_templates.rendering import (
    Rendering,
    argument_names,
    rendering,
    short_prompt,
)
from study.models.chat_templates.thinking import (
    UndecidedThinking,
    switched_on,
    thinks,
    undecided_thinking,
)
from study.models.pairs import ModelRef, Pair
from study.models.tokenizers import TokenizerOverrides, tokenizer_template
from study.models.weights import ModelFacts

Renderings = dict[tuple[str, str], Rendering | str]
"By pair and arm with a chat template, what it is rendered from, or why it cannot be."


def study_renderings(
    study: Study, pairs: Sequence[Pair], models: Mapping[ModelRef, ModelFacts | str]
) -> Renderings:
    """All renderings; StudyError for an argument that no template reads, and for models that might
    think in an arm that does not allow for it."""
    renderings: Renderings = {}
    given: dict[str, list[Rendering | str]] = {}
    for arm in study.parsed_arms():
        if not arm.template:
            continue
        options = study.arm_options(arm.name).template_arguments
        undecided: dict[str, UndecidedThinking] = {}
        for pair in pairs:
            facts = models[pair.tuned]
            result: Rendering | str = facts if isinstance(facts, str) else ""
            if not isinstance(facts, str):
                result = _rendering(study, facts, arm, pair.template_arguments, options)
            renderings[pair.name, arm.name] = result
            for name in {**pair.template_arguments, **options}:
                given.setdefault(name, []).append(result)
            if not arm.thinks and isinstance(result, Rendering):
                try:
                    problem = undecided_thinking(result)
                except StudyError as error:  # it computes too much with some arguments
                    renderings[pair.name, arm.name] = f"{pair.tuned.name}: {error}"
                    continue
                undecided |= {pair.tuned.name: problem} if problem else {}
        if undecided:
            raise _undecided_error(study, arm, undecided)
    for name, results in given.items():
        _check_argument(study, name, results)
    return renderings


def model_rendering(
    facts: ModelFacts,
    overrides: TokenizerOverrides | None = None,
    *,
    date: dt.date,
    arguments: Mapping[str, Scalar],
    turns: int = 1,
) -> Rendering:
    """What a model's chat template is rendered from; see `rendering`.

    StudyError also if the tokenizer cannot be loaded, or the template cannot render a conversation
    with `turns` user turns.
    """
    source = tokenizer_template(facts.tokenizer, facts.folder, overrides)
    where = str(facts.folder)
    result = rendering(source, date=date, arguments=arguments, where=where)
    try:
        short_prompt(result, turns)
    except Exception as error:  # the Jinja code of a template may raise anything
        raise StudyError(
            where,
            found=f"a chat template that fails: {type(error).__name__}: {error}",
            expected=f"one that renders {turns} user turns" if turns > 1 else "one that renders",
        ) from None
    return result


def _rendering(
    study: Study,
    facts: ModelFacts,
    arm: Arm,
    of_pair: Mapping[str, Scalar],
    of_arm: Mapping[str, Scalar],
) -> Rendering | str:
    def rendered(*layers: Mapping[str, Scalar]) -> Rendering:
        source = tokenizer_template(facts.tokenizer, facts.folder, facts.overrides)
        arguments = {name: layer[name] for layer in layers for name in layer}
        return model_rendering(
            facts,
            facts.overrides,
            date=study.date,
            arguments=source.read(arguments, str(facts.folder)),
            turns=1 + arm.shots if arm.multiturn else 1,
        )

    try:
        result = rendered(of_pair, of_arm)
        if not arm.thinks:
            return result
        result = rendered(of_pair, switched_on(result), of_arm)
        if thinks(result):
            return result
    except StudyError as error:  # the tokenizers of other models may be usable
        return str(error)
    return (
        f"{facts.folder}: found a chat template without thinking, or with thinking switched off; "
        f"expected one that can think, because of the arm {arm.name}"
    )


def _undecided_error(
    study: Study, arm: Arm, undecided: Mapping[str, UndecidedThinking]
) -> StudyError:
    """The error that names models and arm, and both ways out; some models have only the second."""
    switchable = {name: problem.off for name, problem in undecided.items() if problem.off}
    arguments = sorted({name for problem in undecided.values() for name in problem.open})
    always = [name for name in undecided if not (undecided[name].off or undecided[name].open)]
    thinking_arm = arm.name.replace("-chat", "-chat-thinking", 1)
    ways = []
    if switchable:
        name, value = next(entry for off in switchable.values() for entry in off.items())
        ways.append(
            f"Switch thinking off with `template_arguments: {{{name}: {json.dumps(value)}}}` on "
            "the pair or the arm"
        )
    if arguments:
        ways.append(f"Give {listed(arguments)} a value with `template_arguments`")
    if always:
        ways.append(f"Exclude {listed(always)}, whose chat template has no switch")
    ways.append(
        f"Replace the arm by `{{name: {thinking_arm}, thinking_tokens: 1024}}`, a thinking arm "
        "(tasks with generated responses only)"
    )
    return study.error(
        "arms",
        found=f"{arm.name}, in which {listed(undecided)} may think before the answer",
        expected="a decision whether they think",
        do=". Or: ".join(ways),
    )


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
