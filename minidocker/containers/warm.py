"""The daemon's hold on its launcher: one connection, which the launcher lives by."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

from minidocker.linux.messages import Channel
from minidocker.namespaces.launcher_client import start_launcher

log = logging.getLogger(__name__)


class WarmLauncher:
    """The launcher of ``exec_root``, started or taken over, and started again if it ends.

    The event loop's thread owns it.
    """

    def __init__(self, exec_root: Path) -> None:
        self._exec_root = exec_root
        self._keeper: Channel | None = None
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        """Raises ``OSError`` when there is none and none can be started."""
        async with self._renewing:
            if not self._alive():
                keeper = await asyncio.to_thread(start_launcher, self._exec_root)
                self.close()
                self._keeper = keeper

    async def needed(self) -> None:
        """Before it is asked; when there is none, whoever asks says why not."""
        if self._alive():
            return
        if self._keeper is not None:
            log.warning("the launcher has ended: another one is started")
        with contextlib.suppress(OSError):
            await self.start()

    def _alive(self) -> bool:
        """Its end closes the connection; until then it has nothing to say."""
        if self._keeper is None:
            return False
        try:
            how = socket.MSG_PEEK | socket.MSG_DONTWAIT
            return bool(self._keeper.sock.recv(1, how))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Let go: it ends when no container is left, if no other daemon takes it over."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
