"""Whose namespaces: every mode that there is, and no other."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidocker.containers.modes import Mode, network_mode, parse_modes
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter
from tests.containers.strategies import words

FIELDS = {
    "network": "network_mode",
    "pid": "pid_mode",
    "ipc": "ipc_mode",
    "uts": "uts_mode",
    "cgroup": "cgroupns_mode",
}
# Of each namespace what may be asked for, by the Engine API (HostConfig), and what "" means.
KINDS = {
    "network": ("bridge", {"none", "host", "container", "bridge"}),
    "pid": ("private", {"host", "container"}),
    "ipc": ("private", {"private", "shareable", "none", "host", "container"}),
    "uts": ("private", {"host"}),
    "cgroup": ("private", {"private", "host"}),
}
ALL = ("private", "shareable", "host", "none", "container", "bridge")
names = st.sampled_from(sorted(FIELDS))


def text_of(mode: Mode) -> str:
    return f"{mode.kind}:{mode.container}" if mode.kind == "container" else mode.kind


modes = st.builds(Mode, st.sampled_from([kind for kind in ALL if kind != "container"])) | st.builds(
    Mode, st.just("container"), words
)


def asked(name: str, text: str) -> Mode:
    found = getattr(parse_modes(ContainerSpec(**{FIELDS[name]: text})), name)
    assert isinstance(found, Mode)
    return found


@given(names, modes)
def test_a_mode_is_read_as_it_is_written_or_refused(name: str, mode: Mode) -> None:
    if mode.kind in KINDS[name][1]:
        assert asked(name, text_of(mode)) == mode
    elif name == "network":
        assert asked(name, text_of(mode)) == Mode("bridge")
    else:
        with pytest.raises(InvalidParameter, match=mode.kind):
            asked(name, text_of(mode))


@given(names, st.sampled_from(ALL), st.text(max_size=4))
@example("pid", "host", "x")
@example("ipc", "container", "")
@example("network", "container", "")
def test_only_a_container_has_a_name_and_it_needs_one(name: str, kind: str, rest: str) -> None:
    text = f"{kind}:{rest}"
    if kind == "container" and rest and "container" in KINDS[name][1]:
        assert asked(name, text) == Mode("container", rest)
    elif name == "network" and kind != "container":
        assert asked(name, text) == Mode("bridge")  # a name, which nobody has
    else:
        with pytest.raises(InvalidParameter):
            asked(name, text)


@given(names, st.text(max_size=8))
def test_any_text_is_a_mode_or_refused(name: str, text: str) -> None:
    try:
        mode = asked(name, text)
    except InvalidParameter:
        return
    assert mode.kind in KINDS[name][1] | {KINDS[name][0]}
    assert text == "" or text_of(mode) == text or mode == Mode("bridge")


def test_what_is_not_said_is_private_and_in_the_default_network() -> None:
    for name, (default, _) in KINDS.items():
        assert asked(name, "") == Mode(default)
    assert network_mode("default") == Mode("bridge")


@given(st.dictionaries(st.sampled_from(["network", "pid", "ipc"]), words))
def test_what_is_joined_is_what_was_asked_for(wishes: dict[str, str]) -> None:
    spec = ContainerSpec(**{FIELDS[name]: f"container:{whose}" for name, whose in wishes.items()})
    assert parse_modes(spec).joined == wishes


@given(st.sampled_from(["", "host"]) | st.text(max_size=8) | modes.map(text_of))
def test_a_user_namespace_is_the_hosts_or_refused(text: str) -> None:
    if text in ("", "host"):
        parse_modes(ContainerSpec(userns_mode=text))
    else:
        with pytest.raises(InvalidParameter, match="user namespace"):
            parse_modes(ContainerSpec(userns_mode=text))


@pytest.mark.parametrize("text", ["bridge", "my-net", "container", "host:x"])
def test_all_else_is_the_name_of_a_network(text: str) -> None:
    assert network_mode(text) == Mode("bridge")
