"""Go's templates: what ``docker inspect -f`` and ``--format`` understand."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.template import Template, to_json
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
        ("{{json .Map}}", '{"k":"v","a":null}'),
        ("{{range .List}}<{{.}}>{{end}}", "<a><b>"),
        ("{{range $k, $v := .Map}}{{$k}}={{$v}};{{end}}", "a=<no value>;k=v;"),
        ("{{range .None}}x{{else}}none{{end}}", "none"),
        ("{{if eq .State.Pid 5}}y{{else}}n{{end}}", "y"),
        ("{{if not .None}}{{if .List}}l{{end}}{{end}}", "l"),
        ("{{if .None}}a{{else if .Map}}b{{else}}c{{end}}", "b"),
        ('{{index .Map "k"}}{{index .List 1}}', "vb"),
        ("{{.Map}} {{.List}}", "map[a:<nil> k:v] [a b]"),
        ("{{with .State}}{{.Pid}}{{end}}", "5"),
        ("{{with $x := .State}}{{$x.Pid}}{{end}}", "5"),
        ("{{$p := .State.Pid}}{{$p}}{{$.Name}}", "5/x"),
        ('{{len .List | printf "%03d"}}', "002"),
        ('{{join .List ","}} {{upper (index .List 0)}}', "a,b A"),
        ("a {{- .Name -}} b", "a/xb"),
        ("{{/* a comment */}}{{println .Name}}", "/x\n"),
        ('{{.Call "k"}}', "<k>"),
        ("{{(index .List 0)}}{{`raw`}}{{true}}", "arawtrue"),
        (r"{{.Name}}\t{{.Name}}\n", "/x\t/x\n"),
        ('{{slice .Name 1}}{{truncate "abcdef" 2}}{{split "a b" " "}}', "xab[a b]"),
        ('{{printf "%q %5s|%-3d|%%" .Name "a" 7}}', '"/x"     a|7  |%'),
        ("{{and .Name .None}}{{or .None .Name}}", "<no value>/x"),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert Template(template).render(DATA) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{",
        "{{.A",
        "{{end}}",
        "{{if .Name}}",
        "{{else}}",
        "{{nosuch .Name}}",
        "{{.Nope}}",
        "{{.Name.X}}",
        "{{|}}",
        "{{(.Name}}",
        "{{$nope}}",
        "{{range .Name}}{{end}}",
        "{{index .None 1}}",
        '{{"a}}',
    ],
)
def test_a_bad_template_is_one_sentence(template: str) -> None:
    with pytest.raises(InvalidParameter, match="template: "):
        Template(template).render(DATA)


@given(st.text().filter(lambda text: "{{" not in text and "\\" not in text))
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


@given(st.text(alphabet='{}.|$()"` aAif-end:=range', max_size=30))
def test_no_template_makes_the_reader_stumble(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert isinstance(Template(text).render(DATA), str)
