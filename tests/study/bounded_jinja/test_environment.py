"""The sandbox renders what Jinja's own renders, within a budget."""

from __future__ import annotations

import inspect

import jinja2
import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from study.bounded_jinja.budget import MAX_SIZE, TemplateLimitError
from study.bounded_jinja.environment import SETTINGS, BoundedEnvironment
from study.tasks.prompt_forms.templates import sandbox
from tests.hostile_templates import HOSTILE, REGEX

PLAIN = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
)
BOUNDED = BoundedEnvironment(PLAIN)
TREE = {
    "name": "root",
    "text": "Ein <b>süßer</b> Text\nüber zwei Zeilen",
    "children": [{"name": "a", "children": [{"name": "b"}]}, {"name": "c"}],
    "numbers": [3, 1, 2.5, -4, 10**20],
    "mixed": {"b": [1, None], "a": (True, "x")},
}
ORDINARY = (
    "{% for n in numbers %}{{ loop.index }}/{{ loop.length }} {{ loop.revindex }} {{ loop.last }}"
    "{{ loop.previtem }}{{ loop.nextitem }}{{ loop.changed(n > 2) }}\n{% else %}-{% endfor %}",
    "{% for n in numbers if n > 1 %}{{ loop.index0 }}{{ loop.cycle('a', 'b') }}{{ n }}{% endfor %}",
    "{% for n in [] %}x{% else %}empty{% endfor %}",
    "{% for child in children recursive %}<{{ child.name }}{{ loop.depth }}"
    "{{ loop(child.children) if child.children }}>{% endfor %}",
    "{% for key, value in mixed | dictsort %}{{ key }}: {{ value }},{% endfor %}",
    "{% for key, value in mixed.items() %}{% if loop.first %}{% continue %}{% endif %}{{ key }}"
    "{% break %}{% endfor %}",
    "{% macro show(tree, depth=0) %}{{ ' ' * depth }}{{ tree.name }}\n"
    "{% for child in tree.children %}{{ show(child, depth + 1) }}{% endfor %}{% endmacro %}"
    "{{ show({'name': name, 'children': children}) }}",
    "{% macro around(x) %}[{{ caller(x) }}{{ varargs }}{{ kwargs }}]{% endmacro %}"
    "{% call(y) around(name, 1, z=2) %}{{ y }}!{% endcall %}",
    "{% block a %}{{ name }}{% block b scoped %}b{% endblock %}{% endblock %}{{ self.b() }}",
    "{% set ns = namespace(found=false) %}{% for n in numbers %}{% if n == 2.5 %}"
    "{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }}",
    "{% set x %}{{ name }} {{ name | upper }}{% endset %}{{ x ~ 1 ~ none ~ numbers }}{{ x[1:3] }}",
    "{% filter upper %}{{ text }}{% endfilter %}{{ text[::-1] }}{{ numbers[-2:] }}{{ text[3] }}",
    "{{ numbers | map('string') | join(', ') }} {{ numbers | select('gt', 2) | list }}"
    "{{ children | map(attribute='name') | join }}{{ numbers | batch(2, 'x') | list }}"
    "{{ numbers | slice(2) | list }}{{ numbers | sort | first }}{{ numbers | sum }}",
    "{{ children | selectattr('children', 'defined') | map(attribute='name') | list }}"
    "{{ children | groupby('name') }}{{ numbers | unique | list }}{{ numbers | max }}",
    "{{ text | indent(4) }}{{ text | wordwrap(8) }}{{ text | center(60) }}{{ text | truncate(9) }}"
    "{{ text | striptags }}{{ text | e }}{{ text | title }}{{ text | wordcount }}{{ text | trim }}",
    "{{ text | replace('e', '€', 2) }}{{ '%s-%05.1f' | format(name, 2.25) }}{{ mixed | tojson }}",
    "{{ mixed | tojson(indent=2) }}{{ mixed | pprint }}{{ 2.567 | round(1) }}{{ '7' | int + 1 }}",
    "{{ '{:>9}|{0!r}|{x.y}'.format(name, x={'y': 1}) if false else '{:>9}|'.format(name) }}"
    "{{ '{a:{w}}'.format(a=name, w=8) }}{{ '{n}'.format_map({'n': 1}) }}",
    "{{ '%-6s|%*d|%(a)s' % (name, 4, 2) if false else '%-6s|%*d' % (name, 4, 2) }}",
    "{{ '%(a)s %(b)r' % {'a': 1, 'b': 'x'} }}{{ name + 'x' }}{{ numbers + [1] }}{{ 'ab' * 3 }}",
    "{{ 7 // 2 }} {{ 7 % 4 }} {{ -7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 3 * 4.5 }} {{ 5 - 8 }}",
    "{{ text.split() }}{{ text.splitlines() | length }}{{ text.rsplit(' ', 1) }}"
    "{{ text.strip('E') }}"
    "{{ text.center(50, '*') }}{{ '-'.join(['a', 'b']) }}{{ text.startswith('Ein') }}",
    "{{ text.encode('utf-8') }}{{ text.replace('\n', ' ') }}"
    "{{ 'a\tb'.expandtabs() }}{{ '7'.zfill(3) }}",
    "{{ 1 < 2 <= 2 != 3 }}{{ 'x' in mixed }}{{ 'a' not in 'abc' }}{{ name is string }}"
    "{{ z is defined }}"
    "{{ numbers is sequence }}{{ 4 is divisibleby 2 }}{{ 3 is in numbers }}{{ name == 'root' }}",
    "{{ z }}{{ z | default('no') }}{{ mixed.nothing }}{{ name and 0 or 'x' }}{{ not name }}",
    "{{ {'k': name, 1: [2]} }}{{ (1, 'a') }}{{ dict(a=1) }}"
    "{{ cycler('a', 'b').next() }}{{ range(3) }}",
    "{% set a, b = (1, 2) %}{{ b }}{% with c = a + b %}{{ c }}{% endwith %}{{ a if b > 1 }}",
    "{% autoescape true %}{{ text }}{{ text ~ '<i>' }}{{ '<%s>' | safe % text }}"
    "{{ ('<{}>' | safe).format(text) }}{% endautoescape %}",
    "{# comment #}\n  {% if name %}\n    indented\n  {% endif %}\n- {{- name -}} -\n",
)
RAISING = (
    "{{ z.a.b }}", "{{ 1 + 'a' }}", "{{ 1 / 0 }}", "{{ name.__class__.__mro__ }}",
    "{% for x in 5 %}{% endfor %}", "{{ numbers.append(1) }}", "{{ nothing() }}", "{{ [1][z.a] }}",
    "{{ 'a' * 'b' }}", "{{ '%d' % 'x' }}", "{{ '{}'.format() }}", "{{ numbers | join(1, 2, 3) }}",
    "{% for k, v in numbers %}{% endfor %}", "{{ numbers | batch }}",
)  # fmt: skip


@pytest.mark.parametrize("template", ORDINARY)
def test_ordinary_templates_are_rendered_as_by_jinja(template: str) -> None:
    assert BOUNDED.from_string(template).render(**TREE) == PLAIN.from_string(template).render(
        **TREE
    )


@pytest.mark.parametrize("template", RAISING)
def test_errors_are_those_of_jinja(template: str) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011 (which one is what is compared)
        PLAIN.from_string(template).render(**TREE)
    with pytest.raises(expected.type) as error:
        BOUNDED.from_string(template).render(**TREE)
    assert str(error.value) == str(expected.value)


@pytest.mark.parametrize("template", HOSTILE)
def test_a_template_that_computes_too_much_is_refused(template: str) -> None:
    with pytest.raises(TemplateLimitError):
        BOUNDED.from_string(template).render()


@pytest.mark.parametrize("template", REGEX)
def test_a_regular_expression_that_takes_too_long_is_refused(template: str) -> None:
    with pytest.raises(TemplateLimitError):
        sandbox().from_string(template).render()


def test_every_rendering_has_a_budget_of_its_own() -> None:
    template = BOUNDED.from_string("{{ 'a' * 8000000 }}{{ 'b' }}")
    for _ in range(20):
        assert len(template.render()) == 8_000_001


def test_long_prompts_are_within_the_budget() -> None:
    long = "word " * (MAX_SIZE // 10)
    messages = [{"role": role, "content": long} for role in ("user", "assistant") * 3]
    template = (
        "{% for message in messages %}{% if message.role == 'user' %}{{ message.content | trim }}"
        "{% else %}{{ message['content'].split('</think>')[-1].lstrip('\n') + '\n' }}{% endif %}"
        "{% endfor %}"
    )
    (first,) = {BOUNDED.from_string(template).render(messages=messages[:2]) for _ in range(2)}
    assert first == PLAIN.from_string(template).render(messages=messages[:2])
    many = [{"role": "user", "content": "short"}] * 20_000
    assert len(BOUNDED.from_string(template).render(messages=many)) == 100_000


def test_the_settings_are_all_that_jinja_has() -> None:
    """A setting that a later version adds may change what is rendered."""
    known = {"self", "optimized", "finalize", "extensions", *SETTINGS}
    without_effect = {"loader", "cache_size", "auto_reload", "bytecode_cache", "enable_async"}
    assert set(inspect.signature(jinja2.Environment.__init__).parameters) == known | without_effect
    assert PLAIN.finalize is None
