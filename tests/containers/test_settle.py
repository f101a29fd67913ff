"""From a wish to what a container will be: complete, and settled once and for all."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minidocker.cgroups.resources import Resources
from minidocker.containers.container import Container
from minidocker.containers.files import HostFiles
from minidocker.containers.modes import parse_modes
from minidocker.containers.settle import Host, Settled, settle, with_limits, with_partners
from minidocker.containers.spec import ContainerSpec, RestartPolicy
from minidocker.errors import InvalidParameter, NotFound, Refused
from minidocker.namespaces.capabilities import NAMES
from minidocker.networks.network import Network
from minidocker.oci.image_config import RunDefaults
from tests.cgroups.strategies import BIG
from tests.containers import strategies as draw

HOST = Host("machine", HostFiles("", "nameserver 10.0.0.1\n"), NAMES, (), False, False)


def tame(spec: ContainerSpec) -> ContainerSpec:
    """The wish without what most often makes it one that cannot be fulfilled."""
    # Mounts and devices are looked for on the machine, and are not what is tried here.
    spec = replace(spec, mounts=(), devices=(), command=("run", *(spec.command or ())))
    return replace(spec, restart=RestartPolicy(), resources=Resources(), uts_mode="")


wishes = draw.specs.map(tame)
few = settings(max_examples=25, deadline=None)


def nobody(name: str) -> Container:
    raise NotFound(f"No such container: {name}")


def no_network(name: str) -> Network:
    raise NotFound(f"network {name} not found")


def settled(wish: ContainerSpec, image: RunDefaults) -> Settled | None:
    try:
        return settle(wish, image, HOST, BIG, nobody, no_network)
    except (InvalidParameter, Refused):
        return None


@few
@given(wishes, draw.images)
def test_what_is_settled_stays_so(wish: ContainerSpec, image: RunDefaults) -> None:
    assume(wish.entrypoint != ("",))  # "none at all" is not told from "none was said"
    if (first := settled(wish, image)) is not None:
        again = settled(first.spec, image)
        assert again is not None
        assert again.spec == first.spec
        assert again.modes == first.modes == parse_modes(first.spec)
        alone = settled(first.spec, RunDefaults())
        assert alone is not None
        assert alone.spec == first.spec, "nothing is left to ask the image"


@few
@given(wishes)
def test_what_a_container_needs_no_more_is_not_asked_of_the_machine(wish: ContainerSpec) -> None:
    assert with_limits(wish, None) == (wish, ())


@given(draw.resources.filter(lambda resources: resources != Resources()))
def test_without_cgroups_limits_are_refused(resources: Resources) -> None:
    with pytest.raises(Refused, match="limits need cgroups"):
        with_limits(ContainerSpec(resources=resources), None)


partners = st.builds(
    lambda container, ipc: replace(container, spec=replace(container.spec, ipc_mode=ipc)),
    draw.containers,
    st.sampled_from(["", "private", "shareable", "none", "host"]),
)
joins = st.sets(st.sampled_from(["pid", "ipc", "network"]))


@few
@given(partners, joins, draw.words)
def test_a_partner_is_named_by_its_id_and_shares_what_may_be_shared(
    partner: Container, joins: set[str], name: str
) -> None:
    asked = {f"{kind}_mode": f"container:{name}" for kind in joins}
    wish = ContainerSpec(**asked)  # type: ignore[arg-type]
    looked_for: list[str] = []

    def lookup(wanted: str) -> Container:
        looked_for.append(wanted)
        return partner

    if "ipc" in joins and partner.spec.ipc_mode not in ("shareable", "host"):
        with pytest.raises(InvalidParameter, match=f"cannot join IPC of container {partner.id}"):
            with_partners(wish, parse_modes(wish), lookup)
        return
    found = with_partners(wish, parse_modes(wish), lookup)
    assert looked_for == [name] * len(joins)
    assert parse_modes(found).joined == dict.fromkeys(joins, partner.id)
    assert with_partners(found, parse_modes(found), lookup) == found
    names = ("hostname", "domainname", *asked)
    assert replace(found, **{each: getattr(wish, each) for each in names}) == wish
    if "network" not in joins:
        assert (found.hostname, found.domainname) == ("", "")


@few
@given(partners)
def test_with_the_network_goes_the_host_name(partner: Container) -> None:
    wish = ContainerSpec(network_mode="container:it")
    found = with_partners(wish, parse_modes(wish), lambda _: partner)
    theirs = partner.spec
    assert found.domainname == theirs.domainname
    if theirs.uts_mode == "host" or (theirs.network_mode == "host" and not theirs.hostname):
        assert found.hostname == os.uname().nodename
    else:
        assert found.hostname == (theirs.hostname or partner.id[:12])


@few
@given(draw.containers, joins)
def test_what_is_settled_names_its_partners_by_id(partner: Container, joins: set[str]) -> None:
    partner = replace(partner, spec=replace(partner.spec, ipc_mode="shareable"))
    asked = {f"{kind}_mode": "container:it" for kind in joins}
    wish = ContainerSpec(command=("run",), **asked)  # type: ignore[arg-type]
    found = settle(wish, RunDefaults(), HOST, BIG, lambda _: partner, no_network)
    assert found.modes.joined == dict.fromkeys(joins, partner.id)
    assert found.modes == parse_modes(found.spec)


@given(st.sampled_from(["pid", "ipc", "network"]), draw.words)
def test_a_partner_that_is_not_there_is_a_wrong_wish_and_no_missing_image(
    kind: str, name: str
) -> None:
    wish = ContainerSpec(command=("run",), **{f"{kind}_mode": f"container:{name}"})
    with pytest.raises(InvalidParameter, match=f"No such container: {name}"):
        settle(wish, RunDefaults(), HOST, BIG, nobody, no_network)


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra_hosts": ("nonsense",)},
        {"security_opt": ("nonsense",)},
        {"cap_add": ("CAP_NONSENSE",)},
        {"device_cgroup_rules": ("nonsense",)},
        {"pid_mode": "nonsense"},
        {"working_dir": "relative"},
        {"uts_mode": "host", "hostname": "box"},
        {"command": ()},
        {"cgroup_parent": "../.."},
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_made(wrong: dict[str, object]) -> None:
    wish = ContainerSpec(command=("run",))
    assert settled(wish, RunDefaults()) is not None
    assert settled(replace(wish, **wrong), RunDefaults()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"privileged": True}, ("label=disable",)),
        ({"pid_mode": "host"}, ("label=disable",)),
        ({"ipc_mode": "host"}, ("label=disable",)),
        ({"privileged": True, "security_opt": ("label=disable",)}, ("label=disable",)),
        ({"uts_mode": "host"}, ()),
        (
            {"privileged": True, "security_opt": ("no-new-privileges",)},
            ("no-new-privileges", "label=disable"),
        ),
    ],
)
def test_who_is_trusted_like_the_host_has_no_label(
    how: dict[str, object], said: tuple[str, ...]
) -> None:
    found = settled(ContainerSpec(command=("run",), **how), RunDefaults())  # type: ignore[arg-type]
    assert found is not None
    assert found.spec.security_opt == said


@pytest.mark.parametrize(
    ("asked", "meant"), [("", ""), ("/", "/"), ("/a/./b/", "/a/b"), ("//a/../b", "/b")]
)
def test_a_working_directory_is_kept_as_short_as_it_goes(asked: str, meant: str) -> None:
    found = settled(ContainerSpec(command=("run",), working_dir=asked), RunDefaults())
    assert found is not None
    assert found.spec.working_dir == meant
