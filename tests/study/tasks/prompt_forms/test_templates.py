"""Templates of the study file: as lm-eval renders them, without its access to code."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.utils import apply_template, env

from study.bounded_jinja.syntax_tree import MEASURED, SPENT
from study.errors import StudyError
from study.tasks.prompt_forms.templates import render_template, sandbox

DOCUMENT: dict[str, Any] = {
    "question": " Why <so> & 'so'? ",
    "choices": ["yes", "no"],
    "gold": 1,
    "meta": {"level": 3.5},
}
ORDINARY = (
    "{{question}}",
    "{{ question.strip() }}\n",
    "{{choices[gold]}} of {{choices|length}}",
    "{% for choice in choices %}{{ 'AB'[loop.index0] }}. {{ choice }}\n{% endfor %}",
    "{{ question | regex_replace('[<>]', '') | upper }}",
    "{% set letters = ['A', 'B'] %}{{ letters[gold] }}{# no comment #}",
    "{{ meta.level * 2 }} {{ meta['level'] }} {{ range(3) | join(',') }}",
    "{{ '%s: %s' | format(gold, choices | first) }}",
    "{% if gold == 1 %}one{% else %}other{% endif %}",
)
HOSTILE = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ question.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.system('touch {marker}') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('touch {marker}').read() }}",
    "{{ question | attr('__class__') }}",
    "{{ '{0.__class__}'.format(question) }}",
    "{{ choices.append('maybe') }}",
    "{{ meta.update(level=1) }}",
    "{{ range(10 ** 9) | list }}",
    "{% import 'os' as os %}",
    "{{ choices | random }}",
    "{{ lipsum(1) }}",
    "{% include '/etc/passwd' %}",
)
ENDLESS = (
    "{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}",
    "{{ question.center(10 ** 10) }}",
    "{{ ('a' * 99 ~ 'b') | regex_replace('(a+)+$', '') }}",
)
WRONG = (
    "{{ questoin }}",
    "{{ question",
    "{{ 1 / 0 }}",
    "{{ gold | no_such_filter }}",
    "{{ 1 + '1' }}",
)


@pytest.mark.parametrize("template", ORDINARY)
def test_ordinary_templates_are_rendered_as_by_lm_eval(template: str) -> None:
    assert render_template(template, DOCUMENT, "t", "k") == apply_template(template, DOCUMENT)


def test_the_settings_are_those_of_lm_eval() -> None:
    settings = [name for name, value in vars(env).items() if isinstance(value, str | bool | type)]
    assert {"undefined", "keep_trailing_newline", "trim_blocks", "autoescape"} <= set(settings)
    for name in settings:
        # Templates load no others, and are the same when they are optimised.
        if name not in ("sandboxed", "loader", "optimized"):
            assert getattr(sandbox(), name) == getattr(env, name), name
    assert sandbox().filters.keys() == env.filters.keys() - {"random"} | {MEASURED, SPENT}
    assert sandbox().extensions.keys() == env.extensions.keys()


@pytest.mark.parametrize("template", [*HOSTILE, *WRONG, *ENDLESS])
def test_templates_that_reach_for_code_or_are_wrong_are_one_error(
    template: str, tmp_path: Any
) -> None:
    marker, before = tmp_path / "marker", repr(DOCUMENT)
    template = template.replace("{marker}", str(marker))
    with pytest.raises(StudyError) as error:
        render_template(template, DOCUMENT, "study.yaml", "fields.Question")
    assert str(error.value).startswith("study.yaml: fields.Question: found ")
    assert "question, choices, gold, meta" in str(error.value)
    assert not marker.exists()
    assert repr(DOCUMENT) == before
