"""Jinja that would run for ever, or make values without end: in tests of the sandbox, and mutants
of chat templates and of `fields` and task files."""

from __future__ import annotations

from random import Random

LOOPS = (
    "{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) if j < 0 %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% set x = j %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | list | length }}{% endfor %}",
    "{% for i in range(99999) %}{{ range(99999) | map('string') | join }}{% endfor %}",
    "{% for i in range(99999) %}{% if 'x' in range(99999) %}{% endif %}{% endfor %}",
    "{% for i in [9, 9] recursive %}{{ loop([i, i]) }}{% endfor %}",
    "{% for i in range(99999) recursive %}{{ loop(range(99999)) }}{% endfor %}",
    "{% macro a(n) %}{{ a(n) }}{% endmacro %}{{ a(1) }}",
    "{% macro a(n) %}{% if n %}{{ a(n - 1) }}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(60) }}",
    "{% macro a() %}{% for i in range(99999) %}{{ caller() }}{% endfor %}{% endmacro %}"
    "{% call a() %}{% call a() %}{% endcall %}{% endcall %}",
    "{% block a %}{{ self.a() }}{{ self.a() }}{% endblock %}",
    "{% for i in range(99999) %}" + "static text " * 9000 + "{% endfor %}",
)
"Endless loops, nested ranges, recursion."
OPERATIONS = (
    "{{ 'a' * 10 ** 10 }}",
    "{{ 'a' * 9999999999 }}",
    "{{ [0] * 9999999999 }}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ 9 ** 99999999 }}",
    "{{ '%9999999999d' % 1 }}",
    "{{ '%*d' % (9999999999, 1) }}",
    "{{ '%.9999999999f' % 1 }}",
    "{{ ('%s' * 9999) % ((['a' * 9999],) * 9999) }}",
)
"Operators with huge results."
METHODS = (
    "{{ 'a'.center(9999999999) }}",
    "{{ 'a'.ljust(9999999999) }}",
    "{{ 'a'.rjust(99999999) }}",
    "{{ 'a'.zfill(9999999999) }}",
    "{{ '\t'.expandtabs(9999999999) }}",
    "{{ ('a' * 9999).replace('', 'a' * 9999) }}",
    "{{ ('a' * 9999).join('a' * 9999) }}",
    "{{ ('a' * 9999).join(range(9999) | map('string')) }}",
    "{{ '{:9999999999}'.format(1) }}",
    "{{ '{:{}}'.format('a', 9999999999) }}",
    "{{ '{a:{b}}'.format_map({'a': 1, 'b': 9999999999}) }}",
    "{{ ('a' * 9999).translate({97: 'a' * 9999}) }}",
    "{{ (1).to_bytes(9999999999, 'big') }}",
    "{{ ('a' * 8000000).strip('b' * 8000000 ~ 'a') }}",
    "{{ ('a' * 8000000).rfind('b' ~ 'a' * 4000000) }}",
    "{{ ('ü' * 8000000).encode('punycode') }}",
)
"Methods of Python's types with huge results, or that take as long."
FILTERS = (
    "{{ 'a' | center(9999999999) }}",
    "{{ 'a\na' | indent(9999999999) }}",
    "{{ ('a' * 9999) | replace('', 'a' * 9999) }}",
    "{{ ('a' * 9999) | join('a' * 9999) }}",
    "{{ range(9999) | map('string') | join('a' * 9999) }}",
    "{{ '%9999999999d' | format(1) }}",
    "{{ [1] | batch(9999999999, 0) | list }}",
    "{{ [1] | slice(9999999999) | list }}",
    "{{ 5 | round(-9999999999) }}",
    "{{ 5 | round(9999999999, 'floor') }}",
    "{{ ('a-' * 4000000) | wordwrap(1) }}",
    "{{ ('<!--' * 2000000) | striptags }}",
    "{{ ('www.' * 2000000) | urlize }}",
    "{{ ('a' * 9999) | wordwrap(1, wrapstring='a' * 9999) }}",
    "{% for i in range(9999) %}{{ 'a' | center(8000000) | length }}{% endfor %}",
)
"Filters with huge results, or that take as long."
COLLECTIONS = tuple(
    f"{{% set ns = namespace(x={start}) %}}{{% for i in range(60) %}}"
    f"{{% set ns.x = {doubled} %}}{{% endfor %}}{use}"
    for start, doubled, use in (
        ("'ab'", "ns.x ~ ns.x", ""),
        ("'ab'", "ns.x + ns.x", ""),
        ("'ab'", "ns.x * 2", ""),
        ("'ab'", "ns.x.replace('a', 'aa')", ""),
        ("'ab'", "[ns.x, ns.x] | join", ""),
        ("'ab'", "'%s%s' % (ns.x, ns.x)", ""),
        ("'ab'", "'{0}{0}'.format(ns.x)", ""),
        ("[1]", "ns.x + ns.x", ""),
        ("[1]", "[ns.x, ns.x]", "{{ ns.x }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ns.x | string | length }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ns.x | tojson | length }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ns.x | pprint | length }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ns.x == ns.x[:] }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ('' ~ ns.x) | length }}"),
        ("[1]", "[ns.x, ns.x]", "{{ '%s' % [ns.x] }}"),
        ("[1]", "[ns.x, ns.x]", "{{ '{}'.format(ns.x) }}"),
        ("[1]", "[ns.x, ns.x]", "{{ ns }}"),
        ("[1]", "{'a': ns.x, 'b': ns.x}", "{{ ns.x }}"),
        ("(1,)", "(ns.x, ns.x)", "{{ {ns.x: 1} | length }}"),
        ("(1,)", "(ns.x, ns.x)", "{{ {}[ns.x] }}"),
        ("(1,)", "(ns.x, ns.x)", "{{ [ns.x] | unique | list | length }}"),
    )
)
"Texts that double, and collections that share their elements and are printed, compared, hashed."
HOSTILE = (*LOOPS, *OPERATIONS, *METHODS, *FILTERS, *COLLECTIONS)
"Each is refused for its costs, in chat templates as in `fields`: none reads a variable."
REGEX = (
    "{{ ('a' * 99 ~ 'b') | regex_replace('(a+)+$', '') }}",
    "{{ ('a' * 99 ~ 'b') | regex_replace('(a|aa)+$', '') }}",
    "{{ ('a' * 9999) | regex_replace('a*a*a*a*b', '') }}",
    "{{ ('a' * 99) | regex_replace('(a?){40}a{40}b', '') }}",
    "{{ ('a' * 9999) | regex_replace('', 'a' * 9999) }}",
)
"With lm-eval's filter, which only `fields` has."


def hostile_template(random: Random) -> str:
    """One of them, often within a macro, a branch or a loop of its own, or after other text."""
    template = random.choice(HOSTILE)
    around = random.choice(
        (
            "{}",
            "text {}",
            "{{% if true %}}{}{{% endif %}}",
            "{{% set captured %}}{}{{% endset %}}",
            "{{% filter upper %}}{}{{% endfilter %}}",
            "{{% for once in [1] %}}{}{{% endfor %}}",
            "{{% with a = 1 %}}{}{{% endwith %}}",
        )
    )
    return template if "{% block" in template else around.format(template)
