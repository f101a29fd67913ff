"""What a container wants of networks: the part of its spec that is about them.  Values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Attachment:
    """A network that it is to be in.

    ``network``: as the user called it, its ID once it is settled; ``name``: the name then.
    ``aliases``: what others of the network may call it.  ``links``: "CONTAINER:ALIAS".
    Addresses "": any that is free.  ``priority``: of its gateway, the highest is taken.
    """

    network: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    priority: int = 0
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Attachment:
        """From ``dataclasses.asdict``, also after a trip through JSON."""
        tuples = {name: tuple(record[name]) for name in ("aliases", "links")}
        return cls(**{**record, **tuples})


@dataclass(frozen=True)
class PortBinding:
    """``-p``.  ``port``: "80/tcp"; ``host_port``: "8080", "8000-8010", or "" for any."""

    port: str
    host: str = ""
    host_port: str = ""
