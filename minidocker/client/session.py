"""Which daemon a command speaks to: ``-H``, else ``DOCKER_HOST``, else ours, started if need be."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property

from minidocker.client.connection import Connection, unreachable
from minidocker.wire.http import DEFAULT_HOST, Address, parse_address


class Session:
    """One run of the command line.  ``host``: what ``-H`` said, if it was given."""

    def __init__(
        self, host: str | None = None, environ: Mapping[str, str] | None = None, debug: bool = False
    ) -> None:
        self.environ = os.environ if environ is None else environ
        named = host or self.environ.get("DOCKER_HOST")
        self.address: Address = parse_address(named or DEFAULT_HOST)
        self.embedded = named is None
        self.debug = debug

    @cached_property
    def daemon(self) -> Connection:
        """The connection for one request after the other; a daemon is running after this.

        Raises ``Unavailable`` with the sentence that says why not.
        """
        connection = Connection(self.address)
        try:
            connection.open()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if not self.embedded:
                raise unreachable(self.address, error) from error
            from minidocker.client.background import start

            start([], say=lambda line: print(line, file=sys.stderr, flush=True))
            connection.open()
        except OSError as error:
            raise unreachable(self.address, error) from error
        return connection

    def another(self) -> Connection:
        """A connection of its own, for an answer that lasts."""
        self.daemon.open()
        return Connection(self.address)
