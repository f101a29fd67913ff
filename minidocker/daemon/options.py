"""The daemon's command line, with dockerd's own flag names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from minidocker.daemon.server import check_address
from minidocker.errors import InvalidParameter
from minidocker.images.endpoints import RegistryConfig, parse_insecure, parse_mirror
from minidocker.wire.http import Address

DATA_ROOT = "/var/lib/minidocker"
EXEC_ROOT = "/run/minidocker"


@dataclass(frozen=True)
class Options:
    """``ready_fd``: where to write a line once requests are answered."""

    hosts: tuple[Address, ...]
    data_root: Path
    exec_root: Path
    pidfile: Path
    registry: RegistryConfig
    debug: bool = False
    ready_fd: int | None = None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidParameter(f"{message}; see --help")


def parse_options(argv: Sequence[str]) -> Options:
    """The options in ``argv`` (without the program's name).

    Raises ``InvalidParameter``; ``SystemExit`` after --help.
    """
    given = _parser().parse_args(list(argv))
    exec_root = _absolute(given.exec_root)
    hosts = given.hosts or [f"unix://{exec_root}/minidocker.sock"]
    pidfile = _absolute(given.pidfile) if given.pidfile else exec_root / "minidocker.pid"
    return Options(
        hosts=tuple(check_address(host) for host in hosts),
        data_root=_absolute(given.data_root),
        exec_root=exec_root,
        pidfile=pidfile,
        registry=RegistryConfig(
            mirrors=tuple(parse_mirror(each) for each in given.mirrors),
            insecure=tuple(parse_insecure(each) for each in given.insecure),
        ),
        debug=given.debug,
        ready_fd=given.ready_fd,
    )


def _absolute(text: str) -> Path:
    """Without symbolic links: two spellings of one root are one root."""
    return Path(text).resolve()


def _parser() -> _Parser:
    parser = _Parser(
        prog="minidocker daemon run",
        description="The container engine: serves the Docker Engine API.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-H", "--host", dest="hosts", action="append", metavar="ADDRESS", default=[])
    add("--data-root", default=DATA_ROOT, metavar="DIR", help="images, layers, containers")
    add("--exec-root", default=EXEC_ROOT, metavar="DIR", help="sockets of what runs")
    add("-p", "--pidfile", metavar="FILE", help="default: minidocker.pid in the exec root")
    add("--registry-mirror", dest="mirrors", action="append", default=[], metavar="URL")
    add("--insecure-registry", dest="insecure", action="append", default=[], metavar="HOST")
    add("-D", "--debug", action="store_true", help="log every request")
    add("--ready-fd", type=int, metavar="N", help="write a line here once it is ready")
    return parser
