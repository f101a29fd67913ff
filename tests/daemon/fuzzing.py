"""Requests made up from the API's own text: sensible, and wrong in every way it can be wrong.

A value is drawn from its schema, or from ``junk``; parameters and fields that need to
mean something to get anywhere have ``HINTS``.  Nothing here starts a container with a
generated wish: what runs is what ``World`` made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from tests.daemon import api
from tests.daemon.replies.containers import tar

NOBODY: Final = "127.0.0.1:1"  # a registry where nobody answers, at once
# Containers that there are, and their states.
WORLD: Final = {"fuzz-running": "running", "fuzz-created": "created", "fuzz-paused": "paused"}
Values = st.SearchStrategy[Any]


def one_of(*words: str) -> Values:
    return st.sampled_from(words)


plain_text = st.from_regex(r"[a-z]{1,4}[0-9]?", fullmatch=True)
odd_text = st.text(max_size=12) | one_of(
    *("", " ", "0", "-1", "1e3", "٣", "1_000", "9" * 30, "9" * 5000, "nan", "null", "{}", "[]"),
    *("..", "/", "../../etc", "a/b", "%2e%2e", "é" * 300, "\0", "a\nb", "\U0001f40b", "x" * 9000),
)
numbers = st.integers() | st.sampled_from(
    [0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, 1e300, float("inf")]
)
junk = st.recursive(
    st.none() | st.booleans() | numbers | odd_text | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=2),
    max_leaves=6,
)
auth = one_of("e30=", "eyJ1c2VybmFtZSI6MX0=", "W10=", "bnVsbA==", "=", "", "é", "x" * 5000)
moments = one_of("0", "1.5", "10m", "2024-01-02T03:04:05Z", "0001-01-01", "9999-12-31", "9" * 400)
filter_sets = st.dictionaries(
    one_of(
        *("status", "label", "name", "id", "before", "since", "until", "reference", "dangling"),
        *("exited", "health", "ancestor", "type", "event", "driver", "scope", "stars", "label!"),
    ),
    st.lists(odd_text | one_of("true", "fuzz-running", "("), max_size=2)
    | st.dictionaries(odd_text, st.booleans(), max_size=2)
    | junk,
    max_size=2,
)

# What a parameter or a field has to be to mean something.
HINTS: Final[dict[str, Values]] = {
    "container": one_of(*WORLD, "no-such"),
    "Container": one_of(*WORLD, "no-such"),
    "path": one_of("/etc/passwd", "/etc", "/tmp", "etc/../etc/group", "/no/such", ""),
    "signal": one_of("TERM", "SIGWINCH", "9", "RTMIN+1", "0", "65", "nonsense"),
    "t": one_of("0", "1", "x", "9" * 30, ""),
    "condition": one_of("not-running", "next-exit", "removed", "soon"),
    "detachKeys": one_of("ctrl-p,ctrl-q", "a", "ctrl-", "ctrl-é", ","),
    "since": moments,
    "until": moments,
    "filters": filter_sets.map(json.dumps),
    "tail": one_of("all", "0", "5", "-1", "x", "9" * 30),
    "ps_args": one_of("-ef", "aux", "-o pid", "-o cmd", "--help", "; id", "-o pid=x\0", "'"),
    "platform": one_of(
        *("linux", "linux/amd64", "linux/arm64/v8", "windows", "a/b/c/d", '{"os":"linux"}'),
        *('{"os":"linux","architecture":"amd64"}', '{"os":1}', "[" * 2000),
    ),
    "stream": one_of("1", "true"),
    "fromImage": one_of("busybox", f"{NOBODY}/x", "NOT LOWER", "a//b", "busybox@sha256:0"),
    "fromSrc": one_of("", "-", f"http://{NOBODY}/x", "ftp://x", "http://", "://", "http://[/"),
    "term": one_of(f"{NOBODY}/x", "http://x", ""),
    "serveraddress": st.just(NOBODY),
    "repo": one_of("fuzz/a", "a", "NOT LOWER", "sha256", "a:b", "a@sha256:" + "0" * 64, ""),
    "tag": one_of("1", "latest", "-", "sha256:" + "0" * 64, "a b", "x" * 129, ""),
    "changes": one_of(
        *("ENV A=1", "CMD x", 'CMD ["x"', "RUN x", "EXPOSE 99999/x", "LABEL a", "VOLUME []"),
        *("HEALTHCHECK --interval=x CMD y", "USER", "ONBUILD ONBUILD RUN x", "\\", "STOPSIGNAL x"),
    ),
    "type": one_of("image", "container", "volume", "build-cache", "nonsense"),
    "Image": one_of("busybox", "busybox:latest", "no/such", "", "NOT LOWER"),
    "Cmd": st.sampled_from(["true", ["true"], [], [""], ["a\0b"], ["sh", "-c", "exit 3"]]),
    "NetworkMode": one_of("none", "host", "default", "container:fuzz-running"),
    "Binds": st.lists(one_of("/etc:/x", "/etc:/x:ro", "v:/x", ":", "/x", "/etc:/x:y")),
}
# Whether a name is resolved, and how long a stop may take, is no matter for chance.
CERTAIN: Final = {"t", "stream", "fromImage", "fromSrc", "term"}
# What a body needs to get anywhere.
NEEDED: Final[dict[str, dict[str, Any]]] = {
    "ContainerCreate": {"Image": "busybox", "HostConfig": {"NetworkMode": "none"}},
    "ContainerExec": {"Cmd": ["true"]},
    "NetworkCreate": {"Name": "fuzz"},
    "SystemAuth": {"serveraddress": NOBODY},
}


@dataclass(frozen=True)
class Wish:
    """A request: ``said`` are parameters by name; ``body`` is bytes, of the type ``kind``."""

    operation: str
    said: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    kind: str = ""


def value_of(schema: dict[str, Any], wild: bool, name: str = "") -> Values:
    """What the schema describes; and when ``wild``, now and then what it does not."""
    right = [_right(schema, wild), *([HINTS[name]] if name in HINTS else [])]
    return st.one_of(*right * 3, junk) if wild else right[-1]


def _right(schema: dict[str, Any], wild: bool) -> Values:
    if "$ref" in schema:
        return st.deferred(lambda: _right(api.definition(schema["$ref"]), wild))
    if known := api.properties(schema):
        # A few fields only: with all of them something would always be wrong.
        chosen = st.lists(st.sampled_from(sorted(known)), max_size=3, unique=True)
        return chosen.flatmap(
            lambda keys: st.fixed_dictionaries(
                {key: value_of(known[key], wild, key) for key in keys}
            )
        )
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    words, counts = (odd_text, numbers) if wild else (plain_text, st.integers(-1, 100))
    if schema.get("type") == "array":
        return st.lists(value_of(schema.get("items", {}), wild), max_size=2)
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return st.dictionaries(words, value_of(values or {}, wild), max_size=2)
    return {"boolean": st.booleans(), "integer": counts}.get(schema.get("type", ""), words)


def _parameter(operation: str, name: str, schema: dict[str, Any], wild: bool) -> Values:
    kinds = {"boolean": one_of("0", "1", "true"), "integer": st.integers(0, 99)}
    usual = HINTS.get(name, kinds.get(schema.get("type", ""), plain_text))
    if schema["in"] == "header":
        usual = auth
    elif schema["in"] == "path":
        usual = _target(operation)
    certain = name in CERTAIN or schema["in"] == "header"
    if certain or (operation, name) == ("DistributionInspect", "name"):
        return usual
    return usual | odd_text | numbers.map(str) if wild else usual


def _target(operation: str) -> Values:
    """Which container, exec, network or image it is about."""
    if operation == "DistributionInspect":
        return one_of(f"{NOBODY}/x", "NOT LOWER", "a//b")
    if operation.startswith("Exec"):
        return one_of("fuzz-exec", "no-such")
    if operation.startswith("Network"):
        return one_of("none", "host", "bridge", "no-such")
    if operation.startswith("Image"):
        return one_of("busybox", "busybox:latest", "fuzz/a", "no/such", "sha256:0", "a/../b")
    return one_of(*WORLD, "f", "no-such")


@st.composite
def wishes(draw: st.DrawFn, operations: list[str]) -> Wish:
    """A request for one of ``operations``."""
    operation, wild = draw(st.sampled_from(operations)), draw(st.booleans())
    said: dict[str, Any] = {}
    body, kind = None, ""
    for name, schema in api.operation(operation)["parameters"].items():
        if schema["in"] == "body":
            body, kind = draw(_body(operation, schema, wild))
        elif schema["in"] == "path":
            said[name] = draw(_parameter(operation, name, schema, wild)) or "x"
        elif (schema.get("required") and not wild) or draw(st.booleans()):
            value = _parameter(operation, name, schema, wild)
            several = st.lists(value, max_size=2)
            said[name] = draw(several if schema.get("type") == "array" else value)
    if operation in ("ContainerStop", "ContainerRestart"):
        said.setdefault("t", "0")  # a signal that is not heard would be waited for
    return Wish(operation, said, body, kind)


def _body(operation: str, schema: dict[str, Any], wild: bool) -> st.SearchStrategy[Any]:
    """Bytes and their type."""
    if "$ref" not in schema and schema.get("type") == "string":
        tars = st.sampled_from([b"", tar(a="text"), tar(a="b")[:700]])
        return st.tuples(st.binary(max_size=600) | tars, st.just("application/x-tar"))
    if not wild:
        need = NEEDED.get(operation, {})
        right = value_of(schema, wild).map(lambda value: json.dumps(need | value).encode())
        return st.tuples(right, st.just("application/json"))
    kinds = one_of(*["application/json"] * 8, "", "text/plain", "application/json;é")
    text = (value_of(schema, wild) | junk).map(json.dumps)
    whole = text.map(str.encode)
    cut = st.tuples(text, st.integers(0, 40)).map(lambda both: both[0].encode()[: both[1]])
    return st.tuples(whole | whole | whole | cut | st.binary(max_size=40) | st.none(), kinds)
