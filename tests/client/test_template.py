"""Go's templates: what ``docker inspect -f`` and ``--format`` understand."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.client.format.docker_types import TYPES, members, typed
from minidocker.client.format.lexer import tokens
from minidocker.client.format.template import Template
from minidocker.client.format.values import (
    Struct,
    duration_text,
    float_text,
    moment_text,
    plain,
    text_of,
    to_json,
)
from minidocker.errors import InvalidParameter

DATA = {
    "Name": "/x",
    "State": {"Running": True, "Pid": 5},
    "List": ["a", "b"],
    "Map": {"k": "v", "a": None},
    "None": None,
    "Call": lambda key: f"<{key}>",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}} {{.State.Running}}", "/x true"),
        ("{{json .Map}}", '{"a":null,"k":"v"}'),
        ("{{range .List}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=<no value>;k=v;"),
        ("{{range .None}}x{{else}}none{{end}}", "none"),
        ("{{range $i, $e := .List}}{{if $i}}{{break}}{{end}}{{$e}}{{end}}", "a"),
        ("{{range .List}}{{if eq . `a`}}{{continue}}{{end}}{{.}}{{end}}", "b"),
        ("{{range $i := 3}}{{$i}}{{end}}", "012"),
        ("{{if eq .State.Pid 5}}y{{else}}n{{end}}", "y"),
        ("{{if not .None}}{{if .List}}l{{end}}{{end}}", "l"),
        ("{{if .None}}a{{else if .Map}}b{{else}}c{{end}}", "b"),
        ('{{index .Map "k"}}{{index .List 1}}', "vb"),
        ("{{.Map}} {{.List}}", "map[a:<nil> k:v] [a b]"),
        ("{{with .State}}{{.Pid}}{{end}}", "5"),
        ("{{with $x := .State}}{{$x.Pid}}{{end}}", "5"),
        ("{{$p := .State.Pid}}{{$p}}{{$.Name}}", "5/x"),
        ("{{$p := 1}}{{if true}}{{$p = 2}}{{end}}{{$p}}", "2"),
        ('{{len .List | printf "%03d"}}', "002"),
        ('{{join .List ","}} {{upper (index .List 0)}}', "a,b A"),
        ("a {{- .Name -}} b", "a/xb"),
        ("a {{- /* a comment */ -}} b", "ab"),
        ("{{/* a comment */}}{{println .Name}}", "/x\n"),
        ('{{.Call "k"}}', "<k>"),
        ("{{(index .List 0)}}{{`raw`}}{{true}}", "arawtrue"),
        (r"{{.Name}}\t{{`\t`}}{{" + r'"\t\x41\u00e9"' + "}}", "/x\\t\\t\tAé"),
        ('{{slice .Name 1}}{{truncate "abcdef" 2}}{{split "a b" " "}}', "xab[a b]"),
        ('{{printf "%q %5s|%-3d|%%" .Name "a" 7}}', '"/x"     a|7  |%'),
        ('{{printf "%s %d %z" 5 "a" true}}', "%!s(int=5) %!d(string=a) %!z(bool=true)"),
        ('{{printf "%d"}} {{printf "x" 1 "b"}}', "%!d(MISSING) x%!(EXTRA int=1, string=b)"),
        ("{{and .Name .None}}{{or .None .Name}}", "<no value>/x"),
        ("{{.Nope}} {{.Nope.At.All}} {{.Map.x}}", "<no value> <no value> <no value>"),
        ('{{print 1 2 "a" nil}} {{pad "a" 1 2}}|', "1 2a<nil>  a  |"),
        ("{{1e5}} {{1e6}} {{.5}} {{0x1f}} {{'a'}}", "100000 1e+06 0.5 31 97"),
        ('{{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1.5 2.5}}', "true true true false"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert Template(template).render(DATA) == text


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{{", "1: unclosed action"),
        ("{{.A", "1: unclosed action"),
        ("a\n{{end}}", "2: unexpected {{end}}"),
        ("{{if .Name}}", "1: unexpected EOF"),
        ("{{else}}", "1: unexpected {{else}}"),
        ("{{if}}{{end}}", "1: missing value for if"),
        ("{{nosuch .Name}}", '1: function "nosuch" not defined'),
        ("{{|}}", '1: unexpected "|" in command'),
        ("{{(.Name}}", "1: unclosed left paren"),
        ("{{$nope}}", '1: undefined variable "$nope"'),
        ("{{with $x := 1}}{{end}}{{$x}}", '1: undefined variable "$x"'),
        ('{{"a}}', "1: unterminated quoted string"),
        ("{{/* a}}", "1: unclosed comment"),
        ("{{5x}}", '1: bad number syntax: "5x"'),
        ("{{true.X}}", '1: unexpected . after term "true"'),
        ("{{.A|5}}", "1: non executable command in pipeline stage 2"),
        ('{{define "x"}}{{end}}', "1: {{define}} is not supported: write one template"),
    ],
)
def test_what_cannot_be_read_is_said_in_gos_words(template: str, wrong: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        Template(template, "t")
    assert str(refused.value) == f"template: t:{wrong}"


ANY = "map[string]interface {}"


@pytest.mark.parametrize(
    ("template", "place", "wrong"),
    [
        ("{{.Name.X}}", "1:7", "<.Name.X>: can't evaluate field X in type string"),
        ("é\né{{.Name.X}}", "2:9", "<.Name.X>: can't evaluate field X in type string"),
        ("{{range .Name}}{{end}}", "1:8", "<.Name>: range can't iterate over /x"),
        (
            "{{index .None 1}}",
            "1:2",
            "<index .None 1>: error calling index: index of untyped nil",
        ),
        (
            "{{index .List 2}}",
            "1:2",
            "<index .List 2>: error calling index: index out of range: 2",
        ),
        ("{{upper 5}}", "1:8", "<5>: expected string; found 5"),
        (
            "{{upper .List}}",
            "1:8",
            "<.List>: wrong type for value; expected string; got []interface {}",
        ),
        ("{{upper}}", "1:2", "<upper>: wrong number of args for upper: want 1 got 0"),
        ("{{.Call}}", "1:2", "<.Call>: wrong number of args for Call: want 1 got 0"),
        ("{{.Name 5}}", "1:2", "<.Name>: Name is not a method but has arguments"),
        ("{{5 6}}", "1:2", "<5>: can't give argument to non-function 5"),
        ("{{nil}}", "1:2", "<nil>: nil is not a command"),
        (
            "{{eq 1 1.0}}",
            "1:2",
            "<eq 1 1.0>: error calling eq: incompatible types for comparison",
        ),
    ],
)
def test_what_cannot_be_done_is_said_with_its_place(template: str, place: str, wrong: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        Template(template).render(DATA)
    assert str(refused.value) == f'template: :{place}: executing "" at {wrong}'


def test_a_strict_map_wants_the_key() -> None:
    with pytest.raises(InvalidParameter, match=r'map has no entry for key "Nope"$'):
        Template("{{.State.Nope}}").render(DATA, strict=True)


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_itself(text: str) -> None:
    assert Template(text).render({}) == text


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_json_of_the_dot_is_the_value(value: Any) -> None:
    assert json.loads(Template("{{json .}}").render(value)) == value
    assert to_json(value) == Template("{{. | json}}").render(value)


pieces = st.sampled_from(
    (
        *("{{", "}}", "{{- ", " -}}", "if ", "end", "else", "range ", "$x", ":=", ".A", "|"),
        *("(", ")", "`a`", '"b"', "5", " ", "\n", "len", "nil", ".", ",", "/*", "*/", "'", '"'),
        *("é", "#"),
    )
)


@given(st.lists(pieces, max_size=12).map("".join))
def test_no_template_makes_the_reader_stumble(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert isinstance(Template(text).render(DATA), str)


@given(st.lists(pieces, max_size=12).map("".join))
def test_tokens_are_the_text_in_order(text: str) -> None:
    found = list(tokens(text))
    places = [token.at for token in found]
    assert places == sorted(places)
    assert found[-1].kind in ("end", "error")
    assert all(
        text.startswith(token.text, token.at)
        for token in found
        if token.kind not in ("text", "error")
    )


json_of = {
    "string": st.text(max_size=3),
    "bool": st.booleans(),
    "any": st.none(),
    "duration": st.integers(0, 10**12),
    "time": st.just("2024-01-02T13:23:37.5Z"),
} | dict.fromkeys(("int", "int64", "uint16", "uint64"), st.integers(0, 9))


def values_of(type: str) -> st.SearchStrategy[Any]:
    """What JSON may have for a value of a Go type."""
    if type.startswith("*"):
        return st.none() | values_of(type[1:])
    if type.startswith("[]"):
        return st.none() | st.lists(values_of(type[2:]), max_size=2)
    if type.startswith("map[]"):
        return st.none() | st.dictionaries(st.text(max_size=2), values_of(type[5:]), max_size=2)
    if type in json_of:
        return json_of[type]
    return st.deferred(
        lambda: st.fixed_dictionaries(
            {}, optional={each.key: values_of(each.type) for each in members(type)}
        )
    )


@pytest.mark.parametrize("type", TYPES)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_typed_value_says_what_json_said(type: str, data: st.DataObject) -> None:
    said = data.draw(values_of(type))
    value = typed(said, type)
    assert isinstance(value, Struct)
    assert list(value) == [member.name for member in members(type)]
    assert plain(typed(plain(value), type)) == plain(value)
    for member in members(type):
        if member.type in ("string", "bool", "int") and said.get(member.key):
            assert value[member.name] == said[member.key] == plain(value)[member.key]
    for member in members(type):
        assert text_of(value[member.name]) == Template(f"{{{{.{member.name}}}}}").render(value)
    with pytest.raises(InvalidParameter, match=f"can't evaluate field Nope in type {type}$"):
        Template("{{.Nope}}").render(value)


def test_a_struct_shows_what_json_leaves_out() -> None:
    state = typed({"Status": "running"}, "container.State")
    assert text_of(state) == "{running false false false false false 0 0    <nil>}"
    assert Template("{{if .Health}}a{{else}}b{{end}}{{.Health}}").render(state) == "b<nil>"
    assert '"Health"' not in to_json(state)
    settings = typed({}, "container.NetworkSettings")
    assert text_of(settings) == "{{   map[] false  0 [] []} {   0  0  } map[]}"
    labels = typed({"Labels": {"a": "b"}}, "container.Config")
    template = '{{.Labels.x}} {{index .Labels "x" | printf "%q"}} {{json .Cmd}} {{.Cmd}}'
    assert Template(template).render(labels) == '<no value> "" null []'
    limits = typed([{"Name": "nofile", "Soft": 1, "Hard": 2}], "[]*units.Ulimit")
    assert text_of(limits) == "[nofile=1:2]"


def test_times_as_go_prints_them() -> None:
    assert moment_text("2024-01-02T13:23:37.50Z") == "2024-01-02 13:23:37.5 +0000 UTC"
    assert moment_text("0001-01-01T00:00:00Z") == "0001-01-01 00:00:00 +0000 UTC"
    assert [duration_text(each) for each in (0, 5, 1500, 10**8, 10**9, 90 * 10**9)] == [
        *("0s", "5ns", "1.5µs", "100ms", "1s", "1m30s")
    ]
    assert duration_text(3_600_000_000_000) == "1h0m0s"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_written_so_that_it_is_read_back(number: float) -> None:
    assert float(float_text(number)) == number
