"""The fields about networks in a create's body and a connect's, and back.

Engine API: NetworkingConfig, EndpointSettings, EndpointIPAMConfig, PortMap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from minidocker.containers.network_spec import Attachment, PortBinding
from minidocker.daemon.fields import (
    a_list,
    an_object,
    lower_keys,
    number,
    said,
    strings,
    text,
    words,
)
from minidocker.errors import InvalidParameter, Refused
from minidocker.networks.ports import read_binding, read_port

BUILTIN: Final = ("none", "host")
DEFAULT: Final = ("", "default", "bridge")

# What an answer tells of an endpoint: in a request it is what some client was told before.
_TOLD: Final = frozenset(
    {
        *("networkid", "endpointid", "gateway", "ipaddress", "ipprefixlen", "ipv6gateway"),
        *("globalipv6address", "globalipv6prefixlen", "dnsnames"),
    }
)
_READ: Final = frozenset(
    {"ipamconfig", "links", "aliases", "macaddress", "driveropts", "gwpriority"}
)


def joins_networks(mode: str) -> bool:
    """Whether a container of this network mode has interfaces of its own."""
    return mode not in BUILTIN and not mode.startswith("container:")


def read_attachments(networking: Any, mode: str, mac: str = "") -> tuple[Attachment, ...]:
    """The networks of a create, that of its network mode first.

    ``mac``: of ``Config.MacAddress``, which is that one's.  Raises ``InvalidParameter``.
    """
    given = {} if networking is None else lower_keys(networking, "NetworkingConfig")
    settings = said(given, "EndpointsConfig", an_object, {}, "NetworkingConfig.")
    read = {
        _plain(name): read_attachment(_plain(name), value, f"EndpointsConfig.{name}")
        for name, value in settings.items()
    }
    if not joins_networks(mode):
        for name, each in read.items():
            if name != mode or each != Attachment(name, name):
                raise InvalidParameter(
                    "conflicting options: cannot attach both user-defined and non-user-defined "
                    f"network-modes: a container with --net {mode} has no interface in {name}"
                )
        return ()
    name = _plain(mode)
    first = read.pop(name, Attachment(name))
    if mac and first.mac not in ("", mac):
        raise InvalidParameter(
            f"the container-wide MAC address must match the endpoint-specific MAC address for the "
            f"main network, or be left empty: {mac} and {first.mac}"
        )
    if mac:
        first = Attachment(**{**vars(first), "mac": mac})
    return (first, *read.values())


def _plain(name: str) -> str:
    return "bridge" if name in DEFAULT else name


def read_attachment(network: str, settings: Any, where: str) -> Attachment:
    """``settings``: EndpointSettings or null.  Raises ``InvalidParameter``, ``Refused``."""
    given = {} if settings is None else lower_keys(settings, where)
    for key, value in given.items():
        if value and key not in _READ | _TOLD:
            raise InvalidParameter(f"{where}.{key}: there is no such field in API 1.50")
    where += "."
    ipam = said(given, "IPAMConfig", lower_keys, {}, where)
    if said(ipam, "LinkLocalIPs", words, (), f"{where}IPAMConfig."):
        raise Refused(
            f"{where}IPAMConfig.LinkLocalIPs is not supported: an interface has the "
            "addresses of its network only"
        )
    for name in said(given, "DriverOpts", strings, {}, where):
        raise Refused(f"{where}DriverOpts: {name} is not supported by the driver bridge")
    return Attachment(
        network,
        network,
        aliases=said(given, "Aliases", words, (), where),
        links=said(given, "Links", words, (), where),
        ipv4=said(ipam, "IPv4Address", text, "", f"{where}IPAMConfig."),
        ipv6=said(ipam, "IPv6Address", text, "", f"{where}IPAMConfig."),
        mac=said(given, "MacAddress", text, "", where),
        priority=said(given, "GwPriority", number, 0, where),
    )


def read_port_bindings(value: Any) -> tuple[PortBinding, ...]:
    """A PortMap: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}.  Raises ``InvalidParameter``."""
    found = []
    bound = {} if value is None else an_object(value, "HostConfig.PortBindings")
    for port, bindings in bound.items():
        number, protocol = read_port(port)
        where = f"HostConfig.PortBindings.{port}"
        for each in [] if bindings is None else a_list(bindings, where):
            given = lower_keys(each, f"{where}[]")
            host = said(given, "HostIp", text, "", f"{where}[].")
            host_port = said(given, "HostPort", text, "", f"{where}[].")
            read_binding(port, host, host_port)
            found.append(PortBinding(f"{number}/{protocol}", host, host_port))
    return tuple(found)


def write_port_bindings(bindings: tuple[PortBinding, ...]) -> dict[str, list[dict[str, str]]]:
    """The inverse of ``read_port_bindings``."""
    shown: dict[str, list[dict[str, str]]] = {}
    for each in bindings:
        shown.setdefault(each.port, []).append({"HostIp": each.host, "HostPort": each.host_port})
    return shown


def write_ipam(attachment: Attachment) -> dict[str, str] | None:
    """``IPAMConfig``: the addresses that were asked for; None when none were."""
    asked: Mapping[str, str] = {"IPv4Address": attachment.ipv4, "IPv6Address": attachment.ipv6}
    return {name: value for name, value in asked.items() if value} or None
