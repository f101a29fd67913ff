"""/etc/hosts, /etc/hostname and /etc/resolv.conf of a container.

The engine writes them, and they are bind-mounted over the image's: names and
addresses are the machine's business, not the image's.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from minidocker.containers.modes import BRIDGE, CONTAINER, HOST, Modes
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import InvalidParameter

LOCAL_NAMES: Final = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)


NAME_SERVER: Final = "127.0.0.11"
DEFAULT_SERVERS: Final = ("8.8.8.8", "8.8.4.4")  # as Docker's, when the host has none of use


@dataclass(frozen=True)
class HostFiles:
    """The machine's own, as text: what ``--net host`` shows and DNS servers are taken from."""

    hosts: str = ""
    resolv_conf: str = ""

    @classmethod
    def read(cls) -> HostFiles:
        return cls(_text("/etc/hosts"), _text("/etc/resolv.conf"))


def write_files(
    directory: Path,
    spec: ContainerSpec,
    modes: Modes,
    hostname: str,
    host: HostFiles,
    own: Sequence[tuple[str, str]] = (),
    *,
    gateway: str = "",
    named: bool = False,
) -> None:
    """Write the three into ``directory``.

    ``own``: (address, names) lines of its networks, ``gateway``: the machine's address for
    host-gateway, ``named``: it asks the name service.
    """
    texts = {
        "hostname": hostname + "\n",
        "hosts": hosts_text(spec.extra_hosts, modes, host.hosts, own, gateway),
        "resolv.conf": resolv_conf_text(spec, modes, host.resolv_conf, named=named),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)


def share_files(directory: Path, other: Path) -> None:
    """``--net container:X``: hard links to X's files, so that both always see the same."""
    for name in ("hostname", "hosts", "resolv.conf"):
        (directory / name).unlink(missing_ok=True)
        (directory / name).hardlink_to(other / name)


def hosts_text(
    extra: Iterable[str],
    modes: Modes,
    hosts_of_host: str,
    own: Sequence[tuple[str, str]] = (),
    gateway: str = "",
) -> str:
    """hosts(5).  ``extra``: ``NAME:ADDRESS`` of ``--add-host``; the rest as ``write_files``."""
    local = "".join(f"{address}\t{names}\n" for address, names in LOCAL_NAMES)
    text = hosts_of_host if modes.network.kind == HOST and hosts_of_host else local
    if text and not text.endswith("\n"):
        text += "\n"
    asked = [parse_extra_host(each, gateway) for each in extra]
    return text + "".join(f"{address}\t{names}\n" for address, names in (*asked, *own))


def parse_extra_host(text: str, gateway: str = "") -> tuple[str, str]:
    """``name:address`` as (address, name).  Raises ``InvalidParameter``."""
    separator = "=" if "=" in text else ":"
    name, found, address = text.partition(separator)
    if not found or not name:
        raise InvalidParameter(f'bad format for add-host: "{text}"')
    if address == "host-gateway":
        return gateway, name
    try:
        if "%" in address:  # a zone is of the host's interfaces, and may be any text
            raise ValueError(address)
        ipaddress.ip_address(address.strip("[]"))
    except ValueError as error:
        raise InvalidParameter(f'invalid IP address in add-host: "{address}"') from error
    return address.strip("[]"), name


def resolv_conf_text(
    spec: ContainerSpec, modes: Modes, of_host: str, *, named: bool = False
) -> str:
    """resolv.conf(5): the host's, with what ``--dns``, ``--dns-search`` and ``--dns-option`` say.

    ``named``: it asks the name service.  Else a name server on the host's own loopback is
    out of reach from another network namespace, and is left out.
    """
    if modes.network.kind == HOST and not (spec.dns or spec.dns_search or spec.dns_options):
        return of_host
    reachable = modes.network.kind == HOST
    servers = spec.dns or tuple(
        server for server in name_servers(of_host) if reachable or not _is_loopback(server)
    )
    if modes.network.kind == BRIDGE and not servers:
        servers = DEFAULT_SERVERS
    if named:
        servers = (NAME_SERVER,)
    # The last "search" holds, of which "domain" is an old name; options add up.
    search = spec.dns_search or [(), *_values(of_host, "search", "domain")][-1]
    options = spec.dns_options or tuple(itertools.chain(*_values(of_host, "options")))
    if named and not any(each.startswith("ndots:") for each in options):
        options = (*options, "ndots:0")
    lines = [f"nameserver {server}" for server in servers]
    if search and tuple(search) != (".",):  # "--dns-search ." means none
        lines.append("search " + " ".join(search))
    if options:
        lines.append("options " + " ".join(options))
    return "".join(f"{line}\n" for line in lines)


def name_servers(of_host: str) -> tuple[str, ...]:
    """Those that the machine asks, from its resolv.conf."""
    return tuple(server for server, *_ in _values(of_host, "nameserver"))


def hostname_of(spec: ContainerSpec, modes: Modes, short_id: str, of_host: str) -> str:
    """Its own wish; the host's with the host's network; else the short ID."""
    if modes.uts.kind == HOST or (modes.network.kind == HOST and not spec.hostname):
        return of_host
    return spec.hostname or short_id


def shares_network(modes: Modes) -> bool:
    return modes.network.kind == CONTAINER


def _values(text: str, *keywords: str) -> list[tuple[str, ...]]:
    """What stands after one of ``keywords``, a line each."""
    lines = [line.split() for line in text.splitlines()]
    return [tuple(words[1:]) for words in lines if len(words) > 1 and words[0] in keywords]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
