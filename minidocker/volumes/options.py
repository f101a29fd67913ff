"""The options of the one driver, ``local``: a volume whose files are on another file system.

``type``, ``device`` and ``o`` are what one gives to mount(8) as ``-t``, the device and ``-o``:
``type=nfs,device=:/exported,o=addr=10.0.0.1``, or ``type=none,device=/srv/data,o=bind``.
Pure: the mounting is a step in the container's own mount namespace.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from minidocker.errors import InvalidParameter, NotFound

DRIVER: Final = "local"
KNOWN: Final = ("device", "o", "size", "type")
NEEDED: Final = {"device": ("type",), "o": ("device", "type"), "type": ("device",)}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(i?b)?", re.IGNORECASE)
_REMOTE: Final = ("nfs", "nfs4", "cifs")


@dataclass(frozen=True)
class Filesystem:
    """What mount(2) is to be told: ``options`` as mount(8) writes them."""

    type: str
    device: str
    options: tuple[str, ...] = ()

    @property
    def is_bind(self) -> bool:
        """Whether it is a directory of this machine."""
        return "bind" in self.options or "rbind" in self.options


def check_driver(name: str) -> None:
    """Raises ``NotFound``: there are no plugins, and so no driver but ``local``."""
    if name not in ("", DRIVER):
        raise NotFound(f'error looking up volume plugin {name}: plugin "{name}" not found')


def check_options(options: Mapping[str, str]) -> None:
    """Raises ``InvalidParameter`` in Docker's words (moby volume/local, ``validateOpts``)."""
    for name in sorted(options):
        if name not in KNOWN:
            raise InvalidParameter(f'invalid option: "{name}"')
    if "size" in options and _size(options["size"]):
        raise InvalidParameter("quota size requested but no quota support")
    for name, others in NEEDED.items():
        for other in others:
            if name in options and other not in options:
                raise InvalidParameter(f'missing required option: "{other}"')
    found = filesystem(options)
    if found is not None and found.is_bind and not found.device.startswith("/"):
        raise InvalidParameter(
            f'invalid option: "device": a directory to bind must be an absolute path, '
            f"and {found.device!r} is none"
        )


def filesystem(options: Mapping[str, str]) -> Filesystem | None:
    """What is to be mounted for a volume of these options; None for a plain directory."""
    if not options.get("device") and not options.get("type"):
        return None
    words = tuple(word for word in options.get("o", "").split(",") if word)
    return Filesystem(options.get("type", ""), options.get("device", ""), words)


def resolved(found: Filesystem, resolve: Callable[[str], str]) -> Filesystem:
    """The same with a number for the host in ``addr=``: the kernel asks no name server.

    ``resolve``: the address of a host, as text; may raise ``OSError``.
    """
    if found.type not in _REMOTE:
        return found
    options = tuple(_numeric(option, resolve) for option in found.options)
    return Filesystem(found.type, found.device, options)


def _numeric(option: str, resolve: Callable[[str], str]) -> str:
    name, _, host = option.partition("=")
    if name != "addr" or not host:
        return option
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return f"addr={resolve(host)}"
    return option


def _size(text: str) -> int:
    """``1.5g`` in bytes, powers of 1024."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))
