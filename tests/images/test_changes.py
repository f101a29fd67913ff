"""``--change``: each instruction changes its own part of a config, and no other."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter
from minidocker.images.changes import CHANGES, apply_change, apply_changes, parse_duration
from minidocker.oci.image_config import ImageHealthcheck, RunDefaults

NONE = RunDefaults()
words = st.lists(st.text("abc /$'\"\\", min_size=1, max_size=6), min_size=1, max_size=3)
configs = st.builds(
    RunDefaults,
    user=st.text("ab", max_size=2),
    env=st.lists(st.sampled_from(["A=1", "B=2"]), unique=True).map(tuple),
    cmd=st.none() | words.map(tuple),
    entrypoint=st.none() | words.map(tuple),
    labels=st.dictionaries(st.sampled_from("xy"), st.text("z", max_size=2)),
    working_dir=st.sampled_from(["", "/w"]),
)
OWN = {
    "CMD": {"cmd", "args_escaped"},
    "ENTRYPOINT": {"entrypoint", "cmd"},
    "ENV": {"env"},
    "EXPOSE": {"exposed_ports"},
    "HEALTHCHECK": {"healthcheck"},
    "LABEL": {"labels"},
    "ONBUILD": {"on_build"},
    "STOPSIGNAL": {"stop_signal"},
    "USER": {"user"},
    "VOLUME": {"volumes"},
    "WORKDIR": {"working_dir"},
}


@given(configs, st.sampled_from(sorted(CHANGES)), st.text("aA1 =/[],\"'$\\-:.", max_size=12))
def test_an_instruction_changes_its_own_or_is_refused(
    config: RunDefaults, name: str, rest: str
) -> None:
    try:
        changed = apply_change(config, f"{name} {rest}")
    except InvalidParameter:
        return
    other = {each.name for each in fields(RunDefaults)} - OWN[name]
    assert all(getattr(changed, each) == getattr(config, each) for each in other)
    again = apply_change(changed, f"{name} {rest}")
    assert name in ("ONBUILD", "WORKDIR", "ENV", "LABEL") or again == changed


@given(configs, words)
def test_the_json_form_is_taken_as_it_is(config: RunDefaults, said: list[str]) -> None:
    import json

    form = json.dumps(said)
    assert apply_change(config, f"cmd {form}").cmd == tuple(said)
    changed = apply_change(config, f"ENTRYPOINT  {form}")
    assert (changed.entrypoint, changed.cmd) == (tuple(said), None)


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("CMD a b", {"cmd": ("/bin/sh", "-c", "a b")}),
        ("CMD", {"cmd": ("/bin/sh", "-c")}),
        ("CMD []", {"cmd": ()}),
        ("ENTRYPOINT []", {"entrypoint": None}),
        ("entrypoint x $y", {"entrypoint": ("/bin/sh", "-c", "x $y")}),
        ("ENV A=b C='d e' E=\"f $HOME\"", {"env": ("A=b", "C=d e", "E=f ")}),
        ("ENV A b c", {"env": ("A=b c",)}),
        ("EXPOSE 80 81-82/udp 80/tcp", {"exposed_ports": ("80/tcp", "81/udp", "82/udp")}),
        ('LABEL a=b c.d="e f"', {"labels": {"a": "b", "c.d": "e f"}}),
        ("ONBUILD RUN  x", {"on_build": ("RUN  x",)}),
        ("USER a b", {"user": "a b"}),
        ("WORKDIR rel/../x", {"working_dir": "/x"}),
        ('VOLUME ["/a", "/b"]', {"volumes": ("/a", "/b")}),
        ("VOLUME /a /b", {"volumes": ("/a", "/b")}),
        ('VOLUME ["a"', {"volumes": ("[a",)}),
        ("STOPSIGNAL SIGTERM", {"stop_signal": "SIGTERM"}),
        ("STOPSIGNAL 9", {"stop_signal": "9"}),
        ("STOPSIGNAL RTMIN+3", {"stop_signal": "RTMIN+3"}),
        ("HEALTHCHECK NONE", {"healthcheck": ImageHealthcheck(("NONE",))}),
        (
            'HEALTHCHECK --interval=1m30s --retries=2 CMD ["a", "b"]',
            {"healthcheck": ImageHealthcheck(("CMD", "a", "b"), interval=90 * 10**9, retries=2)},
        ),
        (
            "HEALTHCHECK --start-period=1.5s --timeout=5ms CMD a  b",
            {
                "healthcheck": ImageHealthcheck(
                    ("CMD-SHELL", "a  b"), timeout=5 * 10**6, start_period=1500 * 10**6
                )
            },
        ),
    ],
)
def test_what_an_instruction_says(line: str, changed: dict[str, object]) -> None:
    assert apply_change(NONE, line) == replace(NONE, **changed)  # type: ignore[arg-type]


# In dockerd's words.
@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("FROM x", "from is not a valid change command"),
        ("NOPE", "nope is not a valid change command"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV A=b c", 'Syntax error - can\'t find = in "c"'),
        ("ENV =b", "ENV names can not be blank"),
        ("LABEL a", "LABEL must have two arguments"),
        ("EXPOSE abc", "Invalid containerPort: abc"),
        ("EXPOSE 70000", "Invalid containerPort: 70000"),
        ("EXPOSE 9-8", "Invalid containerPort: 9-8"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ('CMD ["a", 1]', "arrays must be comprised of strings only"),
        ("CMD --x y", "Unknown flag: x"),
        ("HEALTHCHECK --bad=1 CMD x", "Unknown flag: bad"),
        ("HEALTHCHECK --interval=5 CMD x", "invalid duration"),
        ("HEALTHCHECK --interval=5us CMD x", "cannot be less than 1ms"),
        ("HEALTHCHECK --retries=0 CMD x", "must be at least 1"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK FOO x", 'Unknown type "FOO" in HEALTHCHECK'),
        ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("STOPSIGNAL FOO", "Invalid signal: FOO"),
        ('VOLUME [""]', "can not be an empty string"),
        ("VOLUME []", "VOLUME requires at least one argument"),
    ],
)
def test_what_is_refused(line: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        apply_change(NONE, line)
    assert text in refused.value.message


def test_variables_are_those_of_the_config() -> None:
    config = apply_changes(NONE, ["ENV A=1", "ENV B=$A$A", "WORKDIR /x/${B}", "LABEL l=$B"])
    assert config.env == ("A=1", "B=11")
    assert (config.working_dir, config.labels) == ("/x/11", {"l": "11"})


def test_a_command_beside_an_entry_point_stays() -> None:
    old = RunDefaults(cmd=("old",))
    assert apply_changes(old, ['ENTRYPOINT ["e"]']).cmd is None
    for changes in (['CMD ["c"]', 'ENTRYPOINT ["e"]'], ['ENTRYPOINT ["e"]', 'CMD ["c"]']):
        assert apply_changes(old, changes).cmd == ("c",)


def test_lines_are_joined_and_comments_left_out() -> None:
    text = "# no\nENV A=1 \\\n  B=2\n\n  # no\nUSER x"
    assert apply_changes(NONE, [text]) == replace(NONE, env=("A=1", "B=2"), user="x")
    assert apply_changes(NONE, []) == NONE
    with pytest.raises(InvalidParameter, match="file with no instructions"):
        apply_changes(NONE, [""])


@given(st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["h", "m", "s"])), min_size=1))
def test_durations(parts: list[tuple[int, str]]) -> None:
    factor = {"h": 3600, "m": 60, "s": 1}
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == sum(n * factor[u] for n, u in parts) * 10**9
    for bad in (f"x{text}", f"{text} ", "", "5"):
        with pytest.raises(InvalidParameter):
            parse_duration(bad)
