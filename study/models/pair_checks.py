"""What the weights of a study's pairs show about its list of pairs.

In: pairs, and facts about the models that are on this machine. Out: a StudyError for a list that
the weights contradict; notes on what is only suspicious.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from study.config.study import Study
from study.models.pairs import ModelRef, Pair
from study.models.weights import ModelFacts

MAX_RATIO = 1.5
"""Ratio of `params_b` to the number of parameters in the weights, either way, beyond which one of
them is wrong. Published counts are often rounded down to whole billions (2.8 to 2), names leave out
embeddings, which are stored twice by some (0.75 for 0.6), and a typing error is a factor of ten."""
Facts = Mapping[ModelRef, ModelFacts | str]
"Facts about each model, or why there are none."


def check_pairs(study: Study, pairs: Sequence[Pair], facts: Facts) -> None:
    """StudyError for a pair that stands twice, is a model and itself, or has another size."""
    seen: dict[tuple[str, ...], Pair] = {}
    for pair in pairs:
        base, tuned = facts[pair.base], facts[pair.tuned]
        for role, found in (("base", base), ("tuned", tuned)):
            if isinstance(found, ModelFacts) and not pair.member(role).tuned_here:
                _check_size(study, pair, role, found)
        if isinstance(base, str) or isinstance(tuned, str):
            continue
        if base.tensors == tuned.tensors:
            raise study.error(
                f"pairs: {pair.name}",
                found=f"the same weights in {base.folder} and {tuned.folder}",
                expected="a base model and the model that was tuned from it",
            )
        # With other template arguments a tuned model is another one: it thinks, or does not.
        arguments = repr(sorted(pair.template_arguments.items()))
        other = seen.setdefault((base.tensors, tuned.tensors, arguments), pair)
        if other is not pair:
            raise study.error(
                f"pairs: {pair.name}",
                found=f"the weights of the pair {other.name}",
                expected="each pair once; it would count twice",
                do="Remove one of them",
            )


def _check_size(study: Study, pair: Pair, role: str, facts: ModelFacts) -> None:
    if not facts.parameters:
        return
    ratio = pair.params_b * 1e9 / facts.parameters
    if not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        raise study.error(
            f"pairs: {pair.name}: params_b",
            found=f"{pair.params_b:g}, where the weights of the {role} model have "
            f"{facts.parameters / 1e9:.4g}",
            expected=f"the parameter count in billions, to a factor of {MAX_RATIO:g}",
            do="Correct it; a model of another size may be in the folder",
        )


def swapped_pairs(pairs: Sequence[Pair], facts: Facts) -> Iterator[str]:
    """Notes on pairs whose base has a chat template and whose tuned model has none.

    A template of both is common: many bases are published with the template of the tuned model.
    """
    for pair in pairs:
        base, tuned = facts[pair.base], facts[pair.tuned]
        if isinstance(base, str) or isinstance(tuned, str) or pair.tuned.tuned_here:
            continue
        if base.has_template and not tuned.has_template:
            yield (
                f"{pair.name}: its base {pair.base.name} has a chat template and its tuned model "
                f"{pair.tuned.name} has none; check that they are not swapped"
            )
