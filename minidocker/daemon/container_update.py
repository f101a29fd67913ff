"""Changing a container's limits and restart policy.

Engine API: ContainerUpdate.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from minidocker.cgroups.resources import Resources
from minidocker.containers.spec import RestartPolicy
from minidocker.daemon.container_create import block_device
from minidocker.daemon.create_body import DeviceNumber, read_resources
from minidocker.daemon.create_fields import POLICY, RESOURCES, THROTTLES
from minidocker.daemon.engine import Engine
from minidocker.daemon.exchange import Answer, Request, json_response
from minidocker.daemon.fields import lower_keys, number, said
from minidocker.errors import InvalidParameter, Refused

_READ: Final = {
    "restartpolicy",
    *(field.name.lower() for field in RESOURCES),
    *(name.lower() for name, _, _ in THROTTLES),
}
# Resources that are settled when a container is made (Engine API, Resources).
_SETTLED: Final = {
    name.lower()
    for name in (
        *("CgroupParent", "Devices", "DeviceCgroupRules", "DeviceRequests", "Ulimits", "Init"),
        *("KernelMemoryTCP", "CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"),
    )
}


async def update(engine: Engine, request: Request) -> Answer:
    container = engine.containers.get(request.params["id"])
    change, restart = read_update(await request.json(), block_device)
    warnings = await engine.containers.update(container.id, change, restart)
    return json_response({"Warnings": list(warnings) or None})


def read_update(body: Any, device_number: DeviceNumber) -> tuple[Resources, RestartPolicy | None]:
    """The change that the JSON ``body`` asks for; None is "leave the policy".

    Raises ``InvalidParameter``, ``Refused``.
    """
    given = lower_keys(body, "the body of an update")
    for key, value in body.items():
        if key.lower() in _SETTLED and value:
            raise Refused(f"{key} cannot be updated: make a new container")
        if key.lower() not in _READ | _SETTLED and value:
            raise InvalidParameter(f"{key}: there is no such field in API 1.50")
    pids = _pids(given.pop("pidslimit", None))
    restart = said(given, "RestartPolicy", POLICY.read, None)
    if not said(given, "RestartPolicy", lower_keys, {}).get("name"):
        restart = None
    return replace(read_resources(given, device_number), pids_limit=pids), restart


def _pids(value: Any) -> int | None:
    """Here 0 and everything below is "unlimited", and null is "as it was"."""
    if value is None:
        return None
    wanted = number(value, "PidsLimit")
    return wanted if wanted > 0 else -1
