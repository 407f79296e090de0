"""Templates: what they see and give, and that none of them can hurt the machine."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from pydantic import JsonValue

from runner.templates import TemplateProblem, compile_expression, compile_value, holds

VARIABLES: dict[str, JsonValue] = {
    "context": "Wagyu steak",
    "steps": {"stock": {"portions": 3, "items": ["beef"]}, "cook": None},
}


def rendered(value: JsonValue) -> JsonValue:
    return compile_value(value).render(VARIABLES)


def problem_of(value: JsonValue) -> str:
    with pytest.raises(TemplateProblem) as caught:
        rendered(value)
    return caught.value.message


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("no marker at all }}", "no marker at all }}"),
        (7, 7),
        (None, None),
        ("{{ steps.stock.portions }}", 3),
        ("{{ steps.stock }}\n", {"portions": 3, "items": ["beef"]}),
        (" {{ steps.stock.portions }}", " 3"),
        ("{{ context }} for {{ steps.stock.portions }}", "Wagyu steak for 3"),
        (
            {"a": ["{{ 1 + 1 }}", {"b": "{{ context }}!"}], "{{ key }}": 1},
            {"a": [2, {"b": "Wagyu steak!"}], "{{ key }}": 1},
        ),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ ['a', 'b'] | map('upper') }}", ["A", "B"]),
        ("{{ ', '.join(['a', 'b']) }} {{ ['a', 'b'] | join('-') }}", "a, b a-b"),
        ("{% for word in context.split() %}[{{ word }}]{% endfor %}", "[Wagyu][steak]"),
        ("{% if 'Wagyu' in context %}yes{% else %}no{% endif %}\n", "yes\n"),
        ("{{ steps.stock | tojson }}", '{"portions": 3, "items": ["beef"]}'),
        ("{{ 'a\nb' | indent(2, true) }}", "  a\n  b"),
        ("{{ '%05.1f' | format(3.14159) }} {{ '%d' % 3 }}", "003.1 3"),
        ("{{ steps.cook }}", None),
    ],
)
def test_values_render_and_keep_their_types(value: JsonValue, result: JsonValue) -> None:
    assert rendered(value) == result


def test_data_goes_before_the_methods_of_a_mapping() -> None:
    assert rendered("{{ steps.stock.items }}") == ["beef"]


@pytest.mark.parametrize("text", ["\x00{{ context }}", "{{ context }} 🍜 مرحبا", "\ud800{{ context }}"])
def test_odd_characters_are_carried_intact(text: str) -> None:
    assert rendered(text) == text.replace("{{ context }}", "Wagyu steak")


def test_references_are_the_names_read_under_steps() -> None:
    compiled = compile_value(
        ["{{ steps.a.b }} {{ steps['c'] }}", {"x": "{{ steps.get('d') or steps.items() or context }}"}]
    )
    assert compiled.references == {"a", "c", "d"}
    assert compiled.names == {"steps", "context"}


def test_a_name_that_the_template_sets_itself_is_not_one_it_needs() -> None:
    assert compile_value("{% for steps in [1] %}{{ steps.real }}{% endfor %}").references == frozenset()
    assert compile_value("{% set result = context %}{{ result }}").names == {"context"}
    assert compile_value("{{ result }}").names == {"result"}
    assert compile_value("{{ range(3) | sum }}").names == frozenset()


@pytest.mark.parametrize("text", ["'Wagyu' in context", "{{ 'Wagyu' in context }}", "{{ steps.stock.portions > 2 }}"])
def test_a_condition_may_have_braces_or_not(text: str) -> None:
    assert holds(compile_expression(text), VARIABLES) is True


def test_a_condition_that_is_no_boolean_is_a_problem() -> None:
    with pytest.raises(TemplateProblem, match="the condition gives a number, not true or false"):
        holds(compile_expression("steps.stock.portions"), VARIABLES)


@pytest.mark.parametrize("text", ["", "{{ a }} == {{ b }}", "a b", "a ==", "{{ a", "((((", "x | nosuch"])
def test_what_is_no_expression_does_not_compile(text: str) -> None:
    with pytest.raises(TemplateProblem):
        compile_expression(text)


@pytest.mark.parametrize(
    "text", ["{{ ", "{% if %}", "{{ 'a' | nosuch }}", "{% macro f() %}{% endmacro %}", "{% include 'x' %}"]
)
def test_what_is_no_template_does_not_compile(text: str) -> None:
    with pytest.raises(TemplateProblem):
        compile_value(text)


def test_a_later_line_is_named() -> None:
    with pytest.raises(TemplateProblem, match=r"line 3 of the text"):
        compile_value("a\nb\n{{ 1 + }}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ guest }}", "'guest' is undefined"),
        ("{{ steps.nosuch }}", "'dict object' has no attribute 'nosuch'"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ {1: 2} }}", "the key 1 of a mapping is no text"),
        ("{{ 'inf' | float }}", "the value inf is no JSON number"),
        ("{{ context.upper }}", "the value is no plain data but a builtin_function_or_method"),
    ],
)
def test_failures_say_what_is_wrong(text: str, message: str) -> None:
    assert problem_of(text) == message


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'].__mro__ }}",
        "{{ '' | attr('__class__') }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ ['{0.__class__}'] | map(attribute='format') | list }}",
        "{{ context.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ range.__self__ }}",
        "{{ lipsum(n=10**9) }}",
    ],
)
def test_there_is_no_way_from_a_template_to_python(text: str) -> None:
    problem_of(text)


BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * [0] }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%.1000000000f' | format(1) }}",
    "{{ range(10 ** 9) | list }}",
    "{{ 'a' | center(10 ** 9) }}",
    "{{ 'a' | indent(10 ** 9, true) }}",
    "{{ [1] | batch(10 ** 9, 'x') | list }}",
    "{{ 1 | round(10 ** 9, 'ceil') }}",
    "{{ [1] | tojson(indent=10 ** 9) }}",
    "{{ range(100000) | join('x' * 1000000) }}",
    "{{ ('a' * 100000) | replace('', 'b' * 100000) }}",
    "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
    "{{ ('b' * 100000).join(range(100000)) }}",
    "{{ 'a'.zfill(10 ** 9) }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{{ range(99999) | map('string') | list | length }}{% endfor %}",
    "{% for a in range(90000) %}" + "x" * 1000 + "{% endfor %}",
    "{% set t %}{% for a in range(90000) %}" + "x" * 1000 + "{% endfor %}{% endset %}",
    "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = dict(a=n.x, b=n.x) %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x='aa') %}{% for i in range(99) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ 9" + "9" * 5000 + " }}",
    "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "{% for x in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
]


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:48])
def test_a_bomb_is_refused_or_cut_in_time(text: str) -> None:
    started = time.process_time()
    problem_of(text)
    assert time.process_time() - started < 10


def test_a_value_without_a_marker_never_loads_jinja() -> None:
    script = (
        "import sys; from runner.templates import compile_value as c; "
        "assert c({'a': ['b', 1]}).render({}) == {'a': ['b', 1]}; assert 'jinja2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_same_text_is_compiled_once() -> None:
    assert compile_value("{{ context }}?") is compile_value("{{ context }}?")
