"""The body of a create, and the ``ContainerSpec`` it asks for.

Every field of the API is honoured or refused by its name; none is passed over
in silence.  An unknown key that asks for something is refused too: a typing
error in "ReadonlyRootfs" must not make a writable root.  Pure: what has to be asked
of the machine (the number of a block device) is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from minidocker.cgroups.resources import DeviceThrottle, Resources
from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.create_fields import (
    CONFIG,
    HOST,
    NULLABLE,
    REFUSED,
    RESOURCES,
    THROTTLES,
)
from minidocker.daemon.fields import (
    a_list,
    flag,
    lower_keys,
    names,
    number,
    read_fields,
    said,
    text,
    wrong,
)
from minidocker.daemon.mount_fields import read_mounts
from minidocker.daemon.network_fields import read_attachments, read_port_bindings
from minidocker.errors import InvalidParameter, Refused

RUNTIME: Final = "minidocker"
# Docker's own name for its default one: clients and compose files say it.
RUNTIMES: Final = (RUNTIME, "runc")
DeviceNumber = Callable[[str], tuple[int, int]]
"""The (major, minor) of a block device by its path; raises ``InvalidParameter``."""

# Read in this file, or said twice by older clients; known, then.
_OTHER_CONFIG: Final = {"volumes", "networkdisabled", "hostconfig", "networkingconfig", "runtime"}
_OTHER_HOST: Final = {
    *("binds", "mounts", "tmpfs", "volumedriver", "networkmode", "runtime", "isolation"),
    "portbindings",
    "containeridfile",  # where the client wrote the ID: its own business
    *(name.lower() for name, _, _ in THROTTLES),
}
_HOST: Final = "HostConfig."
_KNOWN_CONFIG: Final = _OTHER_CONFIG | {field.name.lower() for field in CONFIG}
_KNOWN_HOST: Final = _OTHER_HOST | {field.name.lower() for field in (*HOST, *RESOURCES)}


def read_create(body: Any, device_number: DeviceNumber, platform: str = "") -> ContainerSpec:
    """The spec for a create's JSON ``body`` (Engine API, ContainerCreate).

    Raises ``InvalidParameter`` for a field of the wrong type or an unknown one,
    ``Refused`` for one that this engine does not honour.
    """
    config = lower_keys(body, "the body of a create")
    host = said(config, "HostConfig", lower_keys, {})
    _refuse_unknown(config, _KNOWN_CONFIG, "")
    _refuse_unknown(host, _KNOWN_HOST, _HOST)
    said(host, "ContainerIDFile", text, "", _HOST)
    disabled = said(config, "NetworkDisabled", flag, False)
    mode = "none" if disabled else said(host, "NetworkMode", text, "", _HOST) or "default"
    values = read_fields(config, CONFIG) | read_fields(host, HOST, _HOST)
    attachments = read_attachments(
        config.get("networkingconfig"), mode, values.get("mac_address", "")
    )
    return ContainerSpec(
        **values,
        mounts=read_mounts(host, config.get("volumes")),
        network_mode=mode,
        attachments=attachments,
        port_bindings=read_port_bindings(host.get("portbindings")),
        resources=read_resources(host, device_number),
        runtime=said(host, "Runtime", runtime, said(config, "Runtime", runtime, RUNTIME), _HOST),
        isolation=said(host, "Isolation", isolation, "", _HOST),
        unsaid=tuple(name for name in NULLABLE if host.get(name.lower()) is None),
        platform=platform,
    )


def read_config(given: Mapping[str, Any]) -> ContainerSpec:
    """What a ContainerConfig says, whose keys are in lower case.  Raises ``InvalidParameter``."""
    _refuse_unknown(given, _KNOWN_CONFIG, "")
    said(given, "NetworkDisabled", flag, False)
    volumes = said(given, "Volumes", names, ())
    return ContainerSpec(**read_fields(given, CONFIG), volumes=volumes)


def _refuse_unknown(given: Mapping[str, Any], known: set[str], prefix: str) -> None:
    refused = {name.lower(): (name, why) for name, why in REFUSED.items()} if prefix else {}
    for key, value in given.items():
        if key in known or not value:
            continue
        if key in refused:
            name, why = refused[key]
            raise Refused(f"{prefix}{name} is not supported: {why}")
        raise InvalidParameter(f"{prefix}{key}: there is no such field in API 1.50")


def isolation(asked: Any, name: str) -> str:
    """Windows has others.  Raises ``InvalidParameter``."""
    wanted = text(asked, name)
    if wanted.lower() not in ("", "default"):
        raise InvalidParameter(f"invalid isolation ({asked}): Linux has the default one only")
    return wanted


def runtime(asked: Any, name: str) -> str:
    """There is one runtime, by two names.  Raises ``InvalidParameter``."""
    wanted = text(asked, name) or RUNTIME
    if wanted not in RUNTIMES:
        raise InvalidParameter(f"unknown or invalid runtime name: {wanted}")
    return wanted


def read_resources(host: Mapping[str, Any], device_number: DeviceNumber) -> Resources:
    """The limits in a HostConfig whose keys are in lower case."""
    values = read_fields(host, RESOURCES, _HOST)
    for name, attribute, key in THROTTLES:
        limits = said(host, name, a_list, [], _HOST)
        values[attribute] = tuple(_throttle(each, name, key, device_number) for each in limits)
    return Resources(**values)


def _throttle(value: Any, name: str, key: str, device_number: DeviceNumber) -> DeviceThrottle:
    given = lower_keys(value, f"HostConfig.{name}[]")
    path = said(given, "Path", text, "", f"HostConfig.{name}[].")
    rate = said(given, key, number, 0, f"HostConfig.{name}[].")
    if rate < 0:
        raise wrong(f"HostConfig.{name}[].{key}", rate, "at least 0")
    major, minor = device_number(path)
    return DeviceThrottle(major, minor, rate)
