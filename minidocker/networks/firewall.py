"""The engine's table in the kernel's packet filter, kept by nft(8) in single transactions."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from minidocker.linux.conntrack import ConntrackSocket
from minidocker.linux.plan import Step
from minidocker.networks.network import Network
from minidocker.networks.rules import Published, ruleset
from minidocker.networks.subnets import Address

log = logging.getLogger(__name__)

_PLACES = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"


@dataclass(frozen=True)
class ReplaceTable(Step):
    """``text``: of ``ruleset``; the old table goes and the new one comes at once."""

    chapter: ClassVar[str] = "networks"
    nft: str
    table: str
    text: str = field(repr=False)
    done: Callable[[str], None] = field(compare=False, repr=False)

    def describe(self) -> str:
        return f"nft -f -: replace the table inet {self.table} ({self.text.count(chr(10))} lines)"

    def execute(self) -> None:
        ran = subprocess.run(
            [self.nft, "-f", "-"], input=self.text, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            why = ran.stderr.strip().partition("\n")[0]
            raise OSError(errno.EINVAL, f"nft refuses: {why}", self.table)
        self.done(self.text)


def forget_flows(addresses: Iterable[Address]) -> None:
    """What goes to containers that have left goes nowhere from now on: not to whoever has
    their address next, and not past whoever has their port."""
    try:
        with ConntrackSocket() as flows:
            for each in addresses:
                flows.forget(each)
    except OSError as error:  # a kernel that cannot be asked
        log.warning("conversations with containers that are gone may go on: %s", error)


class Firewall:
    """One table, ``table`` by name; nothing of anybody else's is read or changed.

    Without nft on the machine there are no rules: published ports are carried by their
    proxies, and containers reach what the machine routes for them.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._now = ""  # whatever a daemon left that was killed
        self._nft = shutil.which("nft", path=_PLACES)
        if self._nft is None:
            log.warning("nft is not installed: containers have no way out of the machine")

    def steps(self, networks: Sequence[Network], published: Iterable[Published]) -> list[Step]:
        """What makes the table say this and nothing else: no step when it does so already.

        The next steps may be asked for when these are done.
        """
        text = ruleset(self._table, networks, published)
        if self._nft is None or text == self._now:
            return []
        return [ReplaceTable(self._nft, self._table, text, self._remember)]

    def _remember(self, text: str) -> None:
        self._now = text
