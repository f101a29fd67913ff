"""The networks and volumes that there are so far: ``none`` and ``host``, and no volume.

Enough for the CLI to list them and for programs to find what a container is in.
Engine API: NetworkList, NetworkInspect, VolumeList.
"""

from __future__ import annotations

from typing import Any, Final

from minidocker.daemon.container_shapes import network_id
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.filters import Filters, any_matches, one_flag, parse_filters, select
from minidocker.daemon.times import rfc3339
from minidocker.errors import NotFound

_DRIVERS: Final = {"host": "host", "none": "null"}
_FILTERS: Final = ("dangling", "driver", "id", "label", "name", "scope", "type")


async def listing(engine: Engine, request: Request) -> Answer:
    filters = parse_filters(request.text("filters"), _FILTERS)
    shown = [
        _network(engine, name, detailed=False)
        for name in _DRIVERS
        if matches(filters, name, network_id(engine.facts.id, name))
    ]
    return json_response(shown)


def matches(filters: Filters, name: str, id: str) -> bool:
    """Whether one of the two passes the filters."""
    passes = select(
        filters,
        {
            "driver": lambda wanted: _DRIVERS[name] in wanted,
            "id": lambda wanted: any(id.startswith(each) for each in wanted),
            "label": lambda wanted: not wanted,
            "name": lambda wanted: any_matches(wanted, name),
            "scope": lambda wanted: "local" in wanted,
            "type": lambda wanted: "builtin" in wanted,
        },
    )
    return passes and not one_flag(filters, "dangling", False)


async def inspect(engine: Engine, request: Request) -> Answer:
    asked = request.params["id"]
    for name in _DRIVERS:
        if asked == name or network_id(engine.facts.id, name).startswith(asked):
            return json_response(_network(engine, name, detailed=True))
    raise NotFound(f"network {asked} not found")


def _network(engine: Engine, name: str, detailed: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": name,
        "Id": network_id(engine.facts.id, name),
        "Created": rfc3339(engine.facts.started_ns),
        "Scope": "local",
        "Driver": _DRIVERS[name],
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": None},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": {},
        "Labels": {},
    }
    if detailed:
        shown["Containers"] = {
            each.id: {
                "Name": each.name,
                "EndpointID": "",
                "MacAddress": "",
                "IPv4Address": "",
                "IPv6Address": "",
            }
            for each in engine.containers.all()
            if each.state.running and each.spec.network_mode == name
        }
    return shown


async def volumes(engine: Engine, request: Request) -> Answer:
    parse_filters(request.text("filters"), ("dangling", "driver", "label", "name"))
    return json_response({"Volumes": [], "Warnings": None})
