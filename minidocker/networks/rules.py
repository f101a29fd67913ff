"""Who may talk to whom, as text for nft(8): the whole table of this engine, from plain values.

Pure.  The table is replaced as a whole, in one transaction of the kernel: there is no
moment without rules, and no rule that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from minidocker.networks.network import Network

LOCALHOST: Final = ("127.0.0.0/8", "::1")


@dataclass(frozen=True)
class Published:
    """A port of the machine that leads to a container.

    ``host``: the machine's address, 0.0.0.0 or :: for all of them.  ``bridge``: through
    which the container is reached.
    """

    protocol: str
    host: str
    host_port: int
    target: str
    target_port: int
    bridge: str


def ruleset(table: str, networks: Sequence[Network], published: Iterable[Published]) -> str:
    """What ``nft -f -`` is told: forget the table, and make it anew.

    ``networks``: those that have a bridge now.  With none the table goes.
    """
    forget = f"table inet {table}\ndelete table inet {table}\n"
    if not networks:
        return forget
    forwarded = [rule for each in published for rule in _destination(each)]
    sections = (
        _set("bridges", networks),
        _set("internal", [each for each in networks if each.internal]),
        _chain(
            "forward",
            "type filter hook forward priority filter; policy accept;",
            [
                "ct state established,related accept",
                *(_inside(each) for each in networks),
                "iifname @internal drop",
                "oifname @internal drop",
                "oifname @bridges ct status dnat accept",
                "oifname @bridges drop",
            ],
        ),
        _chain("published", "", forwarded),
        _chain(
            "prerouting",
            "type nat hook prerouting priority dstnat; policy accept;",
            ["fib daddr type local jump published"],
        ),
        _chain(
            "output",
            "type nat hook output priority -100; policy accept;",
            [
                f"ip daddr != {LOCALHOST[0]} fib daddr type local jump published",
                f"ip6 daddr != {LOCALHOST[1]} fib daddr type local jump published",
            ],
        ),
        _chain(
            "postrouting",
            "type nat hook postrouting priority srcnat; policy accept;",
            [rule for each in networks for rule in _masquerade(each)],
        ),
    )
    return f"{forget}table inet {table} {{\n{''.join(sections)}}}\n"


def _set(name: str, networks: Iterable[Network]) -> str:
    elements = ", ".join(f'"{each.bridge}"' for each in networks)
    inside = f" elements = {{ {elements} }}" if elements else ""
    return f"  set {name} {{ type ifname;{inside} }}\n"


def _chain(name: str, hook: str, rules: Iterable[str]) -> str:
    lines = "".join(f"    {line}\n" for line in ([hook] if hook else []) + list(rules))
    return f"  chain {name} {{\n{lines}  }}\n"


def _inside(network: Network) -> str:
    """Of one network: by way of the gateway, and all where bridges ask (br_netfilter)."""
    verdict = "accept" if network.icc else "drop"
    return f'iifname "{network.bridge}" oifname "{network.bridge}" {verdict}'


def _masquerade(network: Network) -> Iterable[str]:
    """What leaves the machine leaves under its address."""
    if not network.masquerade:
        return
    for subnet in network.subnets:
        family = "ip" if subnet.network.version == 4 else "ip6"
        yield f'{family} saddr {subnet.network} oifname != "{network.bridge}" masquerade'


def _destination(port: Published) -> Iterable[str]:
    """Packets to the port go to the container.

    Not those of its own network, to which the port's proxy answers: they would come back
    over the bridge under an address that nobody asked.  Nor those to the loopback
    address, which never leave the host: these are the proxy's too.
    """
    host, target = ip_address(port.host), ip_address(port.target)
    if host.is_loopback or host.version != target.version:
        return
    family = "ip" if target.version == 4 else "ip6"
    at = "" if host.is_unspecified else f"{family} daddr {host} "
    yield (
        f'iifname != "{port.bridge}" {at}meta nfproto ipv{target.version} '
        f"{port.protocol} dport {port.host_port} "
        f"dnat {family} to {_with_port(target, port.target_port)}"
    )


def _with_port(address: IPv4Address | IPv6Address, port: int) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
