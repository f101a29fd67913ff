"""This project's engine, as a user starts it: a daemon of its own in folders of its own.

``Engine`` drives it with the real docker command (``docker(...)``) and with
the project's client (``own(...)``).  At its end nothing may be left: that the
launcher and the monitors are gone is checked, and what is not is named.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.busybox import NAME, NOTHING, archive
from tests.support.cli import Answer, DockerCli, run
from tests.support.dockerd import wait_until_it_answers
from tests.support.leaks import processes
from tests.support.need import need_program, need_root
from tests.support.registry import serve_registry

PROJECT = Path(__file__).resolve().parents[2]
BUSYBOX: Mapping[str, Mapping[str, str]] = {NAME: NOTHING}


class Engine:
    """A minidocker daemon that lives in ``root``, an empty folder.  Use it as a context manager.

    ``stop`` and ``start`` may be called in between (what survives a daemon?), and
    ``kill`` is kill -9.  ``flags`` are more of the daemon's own.
    """

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self.flags = flags
        self.socket = root / "d.sock"
        self.data, self.exec_root = root / "data", root / "run"
        self.docker = DockerCli(self.socket, root / "config")

    def argv(self) -> list[str]:
        folders = ("--data-root", str(self.data), "--exec-root", str(self.exec_root))
        ends = ("--pidfile", str(self.root / "pid"), "-H", f"unix://{self.socket}")
        return [sys.executable, "-m", "minidocker", "daemon", "run", *folders, *ends, *self.flags]

    def own_argv(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "minidocker", "-H", f"unix://{self.socket}", *args]

    def own(self, *args: str, input: str = "", timeout: float = 60) -> Answer:
        """The project's own client, in a process of its own."""
        return run(self.own_argv(*args), env=self.environment, input=input, timeout=timeout)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
        return {**self.docker.environment, "PYTHONPATH": path}

    def start(self) -> None:
        """Raises RuntimeError with the end of the daemon's log if it does not come up."""
        (self.root / "config").mkdir(parents=True, exist_ok=True)
        with open(self.root / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.argv(), env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.ready_after = wait_until_it_answers(self.docker, self.process, self.root / "log")

    def stop(self) -> int:
        """SIGTERM, as a user or an init system does; returns the daemon's exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def log(self) -> str:
        return (self.root / "log").read_text(errors="replace")

    def __enter__(self) -> Engine:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.docker.remove_all_containers()
            self.stop()
        left = processes_of(self.root)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.data, ignore_errors=True)
        assert not left, f"still there after the daemon has stopped: {left}\n{self.log()[-2000:]}"


def processes_of(root: Path) -> dict[int, str]:
    """pid -> command line of whatever names ``root``, the session's own children apart."""
    mark = f"{root}{os.sep}"
    return {pid: line for pid, line in processes((mark,)).items() if mark in line}


@contextlib.contextmanager
def mirror(root: Path, images: Mapping[str, Mapping[str, str]] = BUSYBOX) -> Iterator[str]:
    """A registry on loopback, as if it were Docker Hub: its URL.

    ``images``: the names of what it has, and what each has besides ``busybox``.
    """
    skopeo = need_program("skopeo")
    root.mkdir(parents=True, exist_ok=True)
    with serve_registry(root / "registry") as registry:
        for name, more in images.items():
            source = f"docker-archive:{archive(root / 'image.tar', name, more)}"
            target = f"docker://{registry.host}/library/{name}"
            push = ("copy", "--quiet", "--dest-tls-verify=false", source, target)
            subprocess.run([skopeo, *push], check=True, capture_output=True)
        yield f"http://{registry.host}"


@pytest.fixture(scope="session")
def busybox_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mirror(tmp_path_factory.mktemp("mirror")) as url:
        yield url


@pytest.fixture(scope="session")
def engine(busybox_mirror: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for the session, with the image ``busybox``.  Tests remove their containers."""
    need_root()
    need_program("docker")
    with Engine(tmp_path_factory.mktemp("engine"), "--registry-mirror", busybox_mirror) as ours:
        ours.docker("pull", "--quiet", "busybox").ok()
        yield ours


@pytest.fixture
def new_engine(busybox_mirror: str, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """``new_engine("--flag", ...)``: an engine for this test alone, to kill and start again."""
    need_root()
    need_program("docker")
    with contextlib.ExitStack() as stack:

        def make(*flags: str) -> Engine:
            root = tmp_path / f"engine{len(list(tmp_path.iterdir()))}"
            root.mkdir()
            return stack.enter_context(Engine(root, "--registry-mirror", busybox_mirror, *flags))

        yield make
