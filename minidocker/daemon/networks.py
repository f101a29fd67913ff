"""The networks: list, inspect, create, remove, prune, connect, disconnect.

Engine API: NetworkList, NetworkInspect, NetworkCreate, NetworkDelete, NetworkPrune,
NetworkConnect, NetworkDisconnect.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from minidocker.containers.cables import Cable
from minidocker.containers.container import Container
from minidocker.daemon import network_shapes as shapes
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, Response, json_response
from minidocker.daemon.fields import a_list, an_object, flag, lower_keys, strings, text
from minidocker.daemon.filters import (
    Filters,
    any_matches,
    labels_match,
    labels_pass,
    one_flag,
    parse_filters,
    select,
    until_of,
)
from minidocker.daemon.network_fields import read_attachment
from minidocker.errors import Forbidden, InvalidParameter, NotFound, Refused
from minidocker.networks.network import Network
from minidocker.networks.store import Wanted

DRIVERS: Final = {"host": "host", "none": "null"}  # of the networks that are no records
_FILTERS: Final = ("dangling", "driver", "id", "label", "name", "scope", "type")
_REFUSED: Final = {
    "ingress": "swarm is no part of this engine",
    "configonly": "there are no networks that only describe others",
    "configfrom": "there are no networks that only describe others",
}
_KNOWN: Final = {
    *("name", "checkduplicate", "driver", "scope", "internal", "attachable", "ipam"),
    *("enableipv4", "enableipv6", "options", "labels", *_REFUSED),
}


async def listing(engine: Engine, request: Request) -> Answer:
    filters = parse_filters(request.text("filters"), _FILTERS)
    everything = [*(shapes.network(each) for each in _networks(engine)), *_builtins(engine, ())]
    used = {each.network for one in engine.containers.all() for each in one.spec.attachments}
    return json_response([each for each in everything if matches(filters, each, used)])


def matches(filters: Filters, shown: Mapping[str, Any], used: Iterable[str]) -> bool:
    """Whether a network, as the API shows it, passes.  ``used``: IDs of those in use."""
    builtin = shown["Name"] in ("bridge", *DRIVERS)
    passes = select(
        filters,
        {
            "driver": lambda wanted: shown["Driver"] in wanted,
            "id": lambda wanted: any(shown["Id"].startswith(each) for each in wanted),
            "label": lambda wanted: labels_match(wanted, shown["Labels"]),
            "name": lambda wanted: any_matches(wanted, shown["Name"]),
            "scope": lambda wanted: "local" in wanted,
            "type": lambda wanted: ("builtin" if builtin else "custom") in wanted,
        },
    )
    if "dangling" not in filters:
        return passes
    unused = not builtin and shown["Id"] not in used
    return passes and unused == one_flag(filters, "dangling", False)


async def inspect(engine: Engine, request: Request) -> Answer:
    asked = request.params["id"]
    running = [each for each in engine.containers.all() if each.state.running]
    for shown in _builtins(engine, running):
        if asked == shown["Name"] or (asked and shown["Id"].startswith(asked)):
            return json_response(shown)
    network = engine.networking.networks.get(asked)
    return json_response(shapes.network(network, _members(engine, network, running)))


def _members(
    engine: Engine, network: Network, running: Iterable[Container]
) -> list[tuple[Container, Cable]]:
    return [
        (each, cable)
        for each in running
        for cable in engine.networking.cables(each)
        if cable.network.id == network.id
    ]


def _networks(engine: Engine) -> list[Network]:
    return engine.networking.networks.all()


def _builtins(engine: Engine, running: Iterable[Container]) -> list[dict[str, Any]]:
    return [
        shapes.builtin(
            name,
            driver,
            shapes.builtin_id(engine.facts.id, name),
            engine.facts.started_ns,
            [each for each in running if each.spec.network_mode == name],
        )
        for name, driver in DRIVERS.items()
    ]


async def create(engine: Engine, request: Request) -> Answer:
    network = engine.networking.create(read_network(await request.json()))
    return json_response({"Id": network.id, "Warning": ""}, 201)


def read_network(body: Any) -> Wanted:
    """Raises ``InvalidParameter``, ``Refused``, ``Forbidden``."""
    given = lower_keys(body, "the body of a network's create")
    for key, value in given.items():
        if key not in _KNOWN:
            if value:
                raise InvalidParameter(f"{key}: there is no such field in API 1.50")
        elif key in _REFUSED and value and value != {"Network": ""}:
            raise Refused(f"{key} is not supported: {_REFUSED[key]}")
    if given.get("enableipv4") is False:
        raise Refused("EnableIPv4=false is not supported: a network of this engine has IPv4")
    if text(given.get("scope") or "local", "Scope") != "local":
        raise Refused("Scope is not supported: every network of this engine is local")
    check_driver(text(given.get("driver") or "bridge", "Driver"))
    ipam = lower_keys(given.get("ipam") or {}, "IPAM")
    if text(ipam.get("driver") or "default", "IPAM.Driver") != "default":
        raise NotFound(f'plugin "{ipam["driver"]}" not found')
    return Wanted(
        name=text(given.get("name") or "", "Name"),
        subnets=tuple(_subnet(each) for each in a_list(ipam.get("config") or [], "IPAM.Config")),
        internal=flag(given.get("internal") or False, "Internal"),
        attachable=flag(given.get("attachable") or False, "Attachable"),
        ipv6=flag(given.get("enableipv6") or False, "EnableIPv6"),
        options=strings(given.get("options") or {}, "Options"),
        labels=strings(given.get("labels") or {}, "Labels"),
        ipam_options=strings(ipam.get("options") or {}, "IPAM.Options"),
    )


def check_driver(driver: str) -> None:
    """Raises ``Forbidden``, ``Refused``, ``NotFound`` for all but bridge."""
    if driver in ("host", "null"):
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver in ("macvlan", "ipvlan", "overlay"):
        raise Refused(f"the network driver {driver} is not supported: use bridge, host or none")
    if driver != "bridge":
        raise NotFound(f'plugin "{driver}" not found')


def _subnet(value: Any) -> tuple[str, str, str, Mapping[str, str]]:
    given = lower_keys(value, "IPAM.Config[]")
    subnet, gateway, ip_range = (
        text(given.get(name.lower()) or "", f"IPAM.Config[].{name}")
        for name in ("Subnet", "Gateway", "IPRange")
    )
    auxiliary = given.get("auxiliaryaddresses") or given.get("auxaddress") or {}
    return subnet, gateway, ip_range, strings(auxiliary, "IPAM.Config[].AuxiliaryAddresses")


def _find(engine: Engine, ref: str) -> Network:
    """Raises ``Forbidden`` for none and host, ``NotFound``."""
    for name in DRIVERS:
        if ref and (ref == name or shapes.builtin_id(engine.facts.id, name).startswith(ref)):
            raise Forbidden(f"{name} is a pre-defined network and cannot be removed")
    return engine.networking.networks.get(ref)


async def remove(engine: Engine, request: Request) -> Answer:
    await engine.networking.remove(_find(engine, request.params["id"]))
    return Response(204)


async def prune(engine: Engine, request: Request) -> Answer:
    """Those that no container is to be in, the default one apart; ``until`` and ``label``."""
    filters = parse_filters(request.text("filters"), ("until", "label", "label!"))
    until = until_of(filters, time.time_ns())
    used = {each.network for one in engine.containers.all() for each in one.spec.attachments}
    removed = []
    for network in _networks(engine):
        old = until is None or network.created_ns < until
        if network.is_default or network.id in used or not old:
            continue
        if labels_pass(filters, network.labels):
            await engine.networking.remove(network)
            removed.append(network.name)
    return json_response({"NetworksDeleted": removed or None})


async def connect(engine: Engine, request: Request) -> Answer:
    """``{"Container": ..., "EndpointConfig": {...}}``."""
    body = an_object(await request.json(), "the body of a connect")
    name = request.params["id"]
    container = text(body.get("Container") or "", "Container")
    if name in DRIVERS:
        raise Forbidden(
            f"container cannot be disconnected from {name} network or connected to {name} network"
        )
    network = engine.networking.networks.get(name)
    attachment = read_attachment(network.id, body.get("EndpointConfig"), "EndpointConfig")
    await engine.containers.connect(container, attachment)
    return Response(200)


async def disconnect(engine: Engine, request: Request) -> Answer:
    """``{"Container": ..., "Force": ...}``."""
    body = an_object(await request.json(), "the body of a disconnect")
    container = text(body.get("Container") or "", "Container")
    force = flag(body.get("Force") or False, "Force")
    network = engine.networking.networks.get(request.params["id"])
    await engine.containers.disconnect(container, network, force)
    return Response(200)


async def volumes(engine: Engine, request: Request) -> Answer:
    parse_filters(request.text("filters"), ("dangling", "driver", "label", "name"))
    return json_response({"Volumes": [], "Warnings": None})
