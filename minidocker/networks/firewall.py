"""The engine's table in the kernel's packet filter, kept by nft(8) in single transactions."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterable, Sequence

from minidocker.errors import SystemFailure
from minidocker.networks.network import Network
from minidocker.networks.rules import Published, ruleset

log = logging.getLogger(__name__)


class Firewall:
    """One table, ``table`` by name; nothing of anybody else's is read or changed.

    Without nft on the machine there are no rules: published ports are carried by their
    proxies, and containers reach what the machine routes for them.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._now = ""
        self._changing = asyncio.Lock()
        self._nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
        if self._nft is None:
            log.warning("nft is not installed: containers have no way out of the machine")

    async def apply(self, networks: Sequence[Network], published: Iterable[Published]) -> None:
        """Make the table say this, and nothing else.  Raises ``SystemFailure``."""
        text = ruleset(self._table, networks, published)
        async with self._changing:
            if self._nft is None or text == self._now:
                return
            await self._run(text)
            self._now = text

    async def _run(self, text: str) -> None:
        assert self._nft is not None
        process = await asyncio.create_subprocess_exec(
            *(self._nft, "-f", "-"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate(text.encode())
        if process.returncode:
            why = said.decode(errors="replace").strip().partition("\n")[0]
            raise SystemFailure(f"nft cannot set the rules of table inet {self._table}: {why}")
