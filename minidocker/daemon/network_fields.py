"""The fields about networks in a create's body and a connect's, and back.

Engine API: NetworkingConfig, EndpointSettings, EndpointIPAMConfig, PortMap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from minidocker.containers.network_spec import Attachment, PortBinding
from minidocker.daemon.fields import a_list, an_object, lower_keys, number, strings, text, words
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
    given = lower_keys(networking or {}, "NetworkingConfig")
    settings = an_object(given.get("endpointsconfig") or {}, "NetworkingConfig.EndpointsConfig")
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
    given = lower_keys(settings or {}, where)
    for key, value in given.items():
        if value and key not in _READ | _TOLD:
            raise InvalidParameter(f"{where}.{key}: there is no such field in API 1.50")
    ipam = lower_keys(given.get("ipamconfig") or {}, f"{where}.IPAMConfig")
    if ipam.get("linklocalips"):
        raise Refused(
            f"{where}.IPAMConfig.LinkLocalIPs is not supported: an interface has the "
            "addresses of its network only"
        )
    options = strings(given.get("driveropts") or {}, f"{where}.DriverOpts")
    for name in options:
        raise Refused(f"{where}.DriverOpts: {name} is not supported by the driver bridge")
    return Attachment(
        network,
        network,
        aliases=words(given.get("aliases") or [], f"{where}.Aliases"),
        links=words(given.get("links") or [], f"{where}.Links"),
        ipv4=text(ipam.get("ipv4address") or "", f"{where}.IPAMConfig.IPv4Address"),
        ipv6=text(ipam.get("ipv6address") or "", f"{where}.IPAMConfig.IPv6Address"),
        mac=text(given.get("macaddress") or "", f"{where}.MacAddress"),
        priority=number(given.get("gwpriority") or 0, f"{where}.GwPriority"),
    )


def read_port_bindings(value: Any) -> tuple[PortBinding, ...]:
    """A PortMap: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}.  Raises ``InvalidParameter``."""
    found = []
    for port, bindings in an_object(value or {}, "HostConfig.PortBindings").items():
        number, protocol = read_port(port)
        where = f"HostConfig.PortBindings.{port}"
        for each in a_list(bindings or [], where):
            given = lower_keys(each or {}, f"{where}[]")
            host = text(given.get("hostip") or "", f"{where}[].HostIp")
            host_port = text(given.get("hostport") or "", f"{where}[].HostPort")
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
