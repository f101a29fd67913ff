"""The real dockerd, as the oracle: what does Docker itself do?

It gets folders, a socket and a cgroup of its own, makes no firewall rule, and its bridge is
in the tests' own network namespace (``netns.py``).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.busybox import archive
from tests.support.cli import DockerCli
from tests.support.need import need_program, need_root


class Dockerd:
    """A dockerd that lives in ``root``, an empty folder.  Use it as a context manager."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self.flags = flags
        self.socket = root / "docker.sock"
        self.cgroup = f"dockerd-test-{os.getpid()}"
        self.docker = DockerCli(self.socket, root / "config")

    def argv(self) -> list[str]:
        own_folders = (
            f"--data-root={self.root / 'data'}",
            f"--exec-root={self.root / 'exec'}",
            f"--pidfile={self.root / 'pid'}",
            f"--host=unix://{self.socket}",
        )
        # Its rules would hold for our containers too: they are of the network namespace.
        leave_the_host_alone = (
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            f"--cgroup-parent=/{self.cgroup}",
        )
        driver = "--storage-driver=overlay2"
        return [need_program("dockerd"), *own_folders, *leave_the_host_alone, driver, *self.flags]

    def __enter__(self) -> Dockerd:
        (self.root / "config").mkdir(parents=True, exist_ok=True)
        with open(self.root / "log", "wb") as log:
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stderr=log)
        try:
            self.ready_after = wait_until_it_answers(self.docker, self.process, self.root / "log")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.docker.remove_all_containers()
            self.process.send_signal(signal.SIGTERM)  # it ends its containerd too
            self.process.wait(60)
        # Its bind mounts of network namespaces outlive it.
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if (point := line.split()[4]).startswith(f"{self.root}/"):
                subprocess.run(["umount", "--lazy", point], check=False)
        remove_cgroup(self.cgroup)
        for folder in ("data", "exec"):
            shutil.rmtree(self.root / folder, ignore_errors=True)


def wait_until_it_answers(
    docker: DockerCli, process: subprocess.Popen[bytes], log: Path, patience: float = 30
) -> float:
    """Ask until the daemon answers; returns the seconds that took.

    Raises RuntimeError with the end of the daemon's log when it does not.
    """
    began = time.monotonic()
    while time.monotonic() - began < patience and process.poll() is None:
        if answers(docker.socket):
            return time.monotonic() - began
        time.sleep(0.005)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"{process.args!r} does not answer on {docker.socket}:\n{last}")


def answers(path: Path) -> bool:
    """Whether somebody says 200 to ``GET /_ping`` on the UNIX socket ``path``."""
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(path))
            sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
            return sock.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def remove_cgroup(name: str) -> None:
    """Remove the empty cgroup ``name`` from every hierarchy."""
    for hierarchy in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
        if (folder := hierarchy / name).is_dir():
            folder.rmdir()


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """One dockerd for the session, with the image ``busybox`` loaded."""
    need_root()
    need_program("docker")
    need_program("iptables")
    root = tmp_path_factory.mktemp("dockerd")
    image = archive(root / "busybox.tar")
    with Dockerd(root) as real:
        real.docker("load", "-i", str(image)).ok()
        # The first container in the host's network makes a mount that stays as long as dockerd.
        real.docker("run", "--rm", "--net", "host", "busybox", "true").ok()
        yield real
