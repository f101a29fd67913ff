"""``-p`` and ``--expose``: ports and ranges of ports, as the create request wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minidocker.errors import InvalidParameter

Json = dict[str, Any]

PROTOCOLS = ("tcp", "udp", "sctp")


def parse_ports(publish: Sequence[str], expose: Sequence[str]) -> tuple[Json, Json]:
    """``ExposedPorts`` and ``PortBindings`` for ``-p`` and ``--expose``."""
    exposed: Json = {}
    bindings: Json = {}
    for spec in publish:
        for port, binding in parse_publish(spec):
            exposed[port] = {}
            bindings.setdefault(port, []).append(binding)
    for spec in expose:
        ports, protocol = _split_protocol(spec)
        if ":" in ports:
            raise InvalidParameter(f"invalid port format for --expose: {spec}")
        first, last = _range(ports, f"invalid range format for --expose: {spec}")
        exposed |= {f"{port}/{protocol}": {} for port in range(first, last + 1)}
    return exposed, bindings


def parse_publish(spec: str) -> list[tuple[str, Json]]:
    """``[[address:]host:]container[/protocol]``, the ports single or ranges of equal length.

    Gives ("80/tcp", {"HostIp": "", "HostPort": "8080"}) for each.
    """
    rest, protocol = _split_protocol(spec)
    front, _, inner = rest.rpartition(":")
    address, _, outer = front.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    if address:
        _check_address(address)
    first, last = _range(inner, f"invalid containerPort: {inner}")
    if not outer:
        hosts = [""] * (last - first + 1)
    else:
        begin, end = _range(outer, f"invalid hostPort: {outer}")
        if first == last and begin != end:
            hosts = [outer]  # any free one of these
        elif end - begin != last - first:
            raise InvalidParameter(f"invalid ranges specified for container and host Ports: {spec}")
        else:
            hosts = [str(port) for port in range(begin, end + 1)]
    return [
        (f"{port}/{protocol}", {"HostIp": address, "HostPort": host})
        for port, host in zip(range(first, last + 1), hosts, strict=True)
    ]


def _check_address(address: str) -> None:
    import ipaddress

    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise InvalidParameter(f"invalid IP address: {address}") from None


def _split_protocol(spec: str) -> tuple[str, str]:
    ports, _, protocol = spec.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"invalid proto: {protocol}")
    return ports, protocol


def _range(text: str, message: str) -> tuple[int, int]:
    first, given, last = text.partition("-")
    last = last if given else first
    for number in (first, last):
        if not (number.isascii() and number.isdigit() and 0 <= int(number) <= 65535):
            raise InvalidParameter(message)
    if int(first) > int(last):
        raise InvalidParameter(message)
    return int(first), int(last)
