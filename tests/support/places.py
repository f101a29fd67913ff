"""Network namespaces to test in: each is a descriptor, and goes with it.

A thread enters one for as long as a function takes (setns(2) is of one thread), so nothing
outside of it changes.  A socket stays in the namespace that it was made in, and can be used
from anywhere: tests send real traffic without a process for each end.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from minidocker.linux import flags, syscalls
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step, perform
from tests.support.need import need_program, need_root

T = TypeVar("T")


def _open() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Place:
    """A network namespace with nothing but a loopback interface, which is up."""

    def __init__(self) -> None:
        need_root()

        def make() -> int:
            syscalls.unshare(flags.CLONE_NEWNET)
            with RouteSocket() as here:
                here.set_up("lo")
            return _open()

        self.fd = _apart(make)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.fd)

    def do(self, act: Callable[[], T]) -> T:
        """Call ``act`` in it; what it returns, or raises, is the caller's."""

        def there() -> T:
            syscalls.setns(self.fd, flags.CLONE_NEWNET)
            return act()

        return _apart(there)

    def perform(self, steps: Iterable[Step]) -> None:
        """A plan, in it.  Raises ``StepFailed``."""
        self.do(lambda: perform(steps))

    def run(self, *argv: str, given: str = "", check: bool = True) -> str:
        """What a program says that runs in it; ``given``: its standard input."""
        path = need_program(argv[0])
        ran = self.do(
            lambda: subprocess.run(
                [path, *argv[1:]], input=given, capture_output=True, text=True, check=False
            )
        )
        assert not check or ran.returncode == 0, f"{' '.join(argv)}: {ran.stderr}"
        return ran.stdout + ran.stderr

    def ip(self, *words: str) -> list[dict[str, Any]]:
        """What iproute2 says: ``ip -j -d link show`` and the like."""
        said = self.run("ip", "-j", "-d", *words)
        return [each for each in json.loads(said or "[]") if each]

    def names(self) -> set[str]:
        """Its interfaces."""
        return {str(each["ifname"]) for each in self.ip("link", "show")}

    def write(self, path: str, text: str) -> None:
        """A setting below /proc/sys/net, which shows whoever writes its own namespace."""
        self.do(lambda: Path(path).write_text(text))

    def read(self, path: str) -> str:
        return self.do(lambda: Path(path).read_text().strip())


def _apart(act: Callable[[], T]) -> T:
    """Call ``act`` in a thread of its own, whose namespace ends with it."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()
