"""The local driver's options: which go together, and what mount(2) is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.errors import InvalidParameter, NotFound
from minidocker.volumes.options import (
    Filesystem,
    check_driver,
    check_options,
    filesystem,
    resolved,
)

values = st.text(min_size=1, max_size=10)
keys = st.sampled_from(["type", "device", "o", "size", "nope", ""])


@given(st.dictionaries(keys, values))
def test_what_is_accepted_can_be_mounted_or_is_a_plain_directory(options: dict[str, str]) -> None:
    try:
        check_options(options)
    except InvalidParameter:
        return
    assert set(options) <= {"type", "device", "o", "size"}
    found = filesystem(options)
    if found is None:
        assert not set(options) - {"size"}
    else:
        assert found.type == options["type"]
        assert found.device == options["device"]
        assert not found.is_bind or found.device.startswith("/")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nope": "1"}, 'invalid option: "nope"'),
        ({"type": "tmpfs"}, 'missing required option: "device"'),
        ({"device": "/x"}, 'missing required option: "type"'),
        ({"o": "bind"}, 'missing required option: "device"'),
        ({"size": "1m"}, "quota size requested but no quota support"),
        ({"size": "big"}, "invalid size: 'big'"),
        ({"type": "none", "o": "bind", "device": "here"}, "must be an absolute path"),
    ],
)
def test_what_does_not_go_together_is_said(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_options(options)
    assert words in str(caught.value)


def test_options_are_a_mount() -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,,uid=7"}
    check_options(options)
    assert filesystem(options) == Filesystem("tmpfs", "tmpfs", ("size=1m", "uid=7"))
    assert filesystem({"size": "0"}) is None
    assert filesystem({}) is None


def test_a_host_of_nfs_becomes_its_address() -> None:
    nfs = Filesystem("nfs", ":/x", ("addr=files.example", "vers=4"))
    found = resolved(nfs, {"files.example": "192.0.2.7"}.__getitem__)
    assert found == Filesystem("nfs", ":/x", ("addr=192.0.2.7", "vers=4"))


@given(st.ip_addresses())
def test_an_address_is_not_asked_about(address: object) -> None:
    nfs = Filesystem("nfs", ":/x", (f"addr={address}", "addr="))
    assert resolved(nfs, {}.__getitem__) == nfs


def test_no_other_file_system_has_hosts() -> None:
    found = Filesystem("ext4", "/dev/x", ("addr=name",))
    assert resolved(found, {}.__getitem__) == found


def test_there_is_one_driver() -> None:
    check_driver("")
    check_driver("local")
    with pytest.raises(NotFound, match='looking up volume plugin nope: plugin "nope" not found'):
        check_driver("nope")
