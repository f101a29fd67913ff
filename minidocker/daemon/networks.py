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
from minidocker.daemon.fields import a_list, flag, lower_keys, said, strings, text
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

_NOT_REMOVED: Final = "{} is a pre-defined network and cannot be removed"
_NOT_JOINED: Final = "container cannot be disconnected from {} network or connected to {} network"


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
    if not said(given, "EnableIPv4", flag, True):
        raise Refused("EnableIPv4=false is not supported: a network of this engine has IPv4")
    if said(given, "Scope", text, "") not in ("", "local"):
        raise Refused("Scope is not supported: every network of this engine is local")
    check_driver(said(given, "Driver", text, "") or "bridge")
    ipam = said(given, "IPAM", lower_keys, {})
    if (driver := said(ipam, "Driver", text, "", "IPAM.")) not in ("", "default"):
        raise NotFound(f'plugin "{driver}" not found')
    return Wanted(
        name=said(given, "Name", text, ""),
        subnets=tuple(_subnet(each) for each in said(ipam, "Config", a_list, [], "IPAM.")),
        internal=said(given, "Internal", flag, False),
        attachable=said(given, "Attachable", flag, False),
        ipv6=said(given, "EnableIPv6", flag, False),
        options=said(given, "Options", strings, {}),
        labels=said(given, "Labels", strings, {}),
        ipam_options=said(ipam, "Options", strings, {}, "IPAM."),
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
    given, where = lower_keys(value, "IPAM.Config[]"), "IPAM.Config[]."
    subnet, gateway, ip_range = (
        said(given, name, text, "", where) for name in ("Subnet", "Gateway", "IPRange")
    )
    auxiliary = {
        **said(given, "AuxAddress", strings, {}, where),
        **said(given, "AuxiliaryAddresses", strings, {}, where),
    }
    return subnet, gateway, ip_range, auxiliary


def _find(engine: Engine, ref: str, refusal: str) -> Network:
    """Raises ``Forbidden`` for none and host, with ``refusal``, where {} is the name;
    ``NotFound``."""
    for name in DRIVERS:
        if ref and (ref == name or shapes.builtin_id(engine.facts.id, name).startswith(ref)):
            raise Forbidden(refusal.replace("{}", name))
    return engine.networking.networks.get(ref)


async def remove(engine: Engine, request: Request) -> Answer:
    await engine.networking.remove(_find(engine, request.params["id"], _NOT_REMOVED))
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
    body = lower_keys(await request.json(), "the body of a connect")
    container = said(body, "Container", text, "")
    network = _find(engine, request.params["id"], _NOT_JOINED)
    attachment = read_attachment(network.id, body.get("endpointconfig"), "EndpointConfig")
    await engine.containers.connect(container, attachment)
    return Response(200)


async def disconnect(engine: Engine, request: Request) -> Answer:
    """``{"Container": ..., "Force": ...}``."""
    body = lower_keys(await request.json(), "the body of a disconnect")
    container = said(body, "Container", text, "")
    force = said(body, "Force", flag, False)
    network = _find(engine, request.params["id"], _NOT_JOINED)
    await engine.containers.disconnect(container, network, force)
    return Response(200)


async def volumes(engine: Engine, request: Request) -> Answer:
    parse_filters(request.text("filters"), ("dangling", "driver", "label", "name"))
    return json_response({"Volumes": [], "Warnings": None})
