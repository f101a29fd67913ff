"""A launcher of its own and containers on it, without a daemon: the launch protocol by hand."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minidocker.linux.messages import Channel, connect_unix
from minidocker.namespaces.capabilities import DEFAULT
from minidocker.namespaces.launcher_client import start_launcher
from minidocker.namespaces.seccomp_profile import compile_profile, default_profile
from tests.support.need import need_program

PRIVATE = ("pid", "mount", "uts", "ipc", "network", "cgroup")
MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec"]},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "ro"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
]


@functools.cache
def default_filter() -> str:
    return base64.b64encode(compile_profile(default_profile(), DEFAULT)).decode()


@dataclass
class Result:
    """What a container did: its output, and every event of its monitor."""

    output: bytes
    events: list[dict[str, Any]]
    directory: Path

    @property
    def code(self) -> int:
        last = self.events[-1]
        return int(last["code"] if last["event"] == "exited" else last["exit_code"])

    @property
    def text(self) -> str:
        return self.output.decode()


@dataclass
class Running:
    channel: Channel
    client: socket.socket
    pid: int
    pidfd: int
    directory: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    def finish(self, then: Callable[[], None] = lambda: None) -> Result:
        """Read to the end of everything, call ``then``, close."""
        output = b""
        while data := self.client.recv(65536):
            output += data
        while (received := self.channel.receive()) is not None:
            self.events.append(received[0])
        then()
        self.close()
        return Result(output, self.events, self.directory)

    def read_until(self, text: bytes) -> bytes:
        seen = b""
        while text not in seen:
            data = self.client.recv(65536)
            assert data, f"the stream ended before {text!r}: {seen!r}"
            seen += data
        return seen

    def close(self) -> None:
        self.channel.close()
        self.client.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def process(args: Sequence[str], **how: Any) -> dict[str, Any]:
    """The process of a runtime spec."""
    return {
        "args": list(args),
        "env": ["PATH=/bin", *how.get("env", ())],
        "cwd": how.get("cwd", "/"),
        "user": {"username": how.get("user", ""), "additionalGroups": how.get("groups", [])},
        "capabilities": {
            name: list(how.get("caps", DEFAULT)) for name in ("bounding", "effective", "permitted")
        },
        "terminal": how.get("tty", False),
        "rlimits": how.get("rlimits", []),
        "noNewPrivileges": how.get("no_new_privs", False),
    }


class Bench:
    """One launcher and one root file system."""

    def __init__(self, root: Path) -> None:
        self.root, self._count = root, 0
        for name in ("run/rootfs", "layers", "containers"):
            (root / name).mkdir(parents=True)
        self.layer = root / "layers/base"
        make_rootfs(self.layer)
        self.keeper = start_launcher(root / "run")
        self.keeper.send({"op": "hello"})
        answer = self.keeper.receive()
        assert answer is not None
        self.launcher_pid = int(answer[0]["pid"])

    def close(self) -> None:
        """Containers that a failed test left are killed, or the launcher would wait for them."""
        self.keeper.close()
        for pid in _children(self.launcher_pid):
            for child in _children(pid):
                os.kill(child, signal.SIGKILL)
        os.waitid(os.P_PID, self.launcher_pid, os.WEXITED)  # it is this process's child

    def request(self, args: Sequence[str], **how: Any) -> dict[str, Any]:
        """A launch request as the daemon makes it.  ``how`` overrides parts by name."""
        self._count += 1
        directory = self.root / "containers" / f"{self._count:064x}"
        for name in ("upper", "work"):
            (directory / name).mkdir(parents=True)
        kinds = how.get("namespaces", PRIVATE)
        return {
            "op": "container",
            "id": directory.name,
            "spec": {
                "process": process(args, **how),
                "root": {
                    "path": str(self.root / "run/rootfs"),
                    "readonly": how.get("read_only", False),
                },
                "hostname": "box",
                "mounts": [*MOUNTS, *how.get("mounts", [])],
                "linux": {
                    "namespaces": [{"type": kind} for kind in kinds],
                    "maskedPaths": how.get("masked", ["/proc/keys", "/sys/firmware"]),
                    "readonlyPaths": ["/proc/sys"],
                    "sysctl": how.get("sysctl", {}),
                    "devices": how.get("devices", []),
                },
            },
            "rootfs": {
                "lower": [str(self.layer)],
                "upper": str(directory / "upper"),
                "work": str(directory / "work"),
            },
            "seccomp": how.get("seccomp", default_filter()),
            "cgroup_procs": [],
            "init": how.get("init", False),
            "log": {"driver": "json-file", "path": str(directory / "log"), **how.get("log", {})},
            "exit_file": str(directory / "exit.json"),
            "socket": str(directory / "monitor.sock"),
            "trace_file": str(directory / "trace.jsonl"),
            "open_stdin": True,
            "stdin_once": True,
            "clients": [
                {"stdin": True, "stdout": True, "stderr": True, "framed": how.get("framed", False)}
            ],
        }

    def send(self, request: dict[str, Any], fds: Sequence[int] = ()) -> Running:
        channel = Channel(connect_unix(str(self.root / "run/launcher.sock")))
        ours, theirs = socket.socketpair()
        channel.send(request, [*fds, theirs.fileno()])
        theirs.close()
        received = channel.receive()
        assert received is not None, "the monitor died"
        event, got = received
        directory = Path(request.get("trace_file") or self.root / "x").parent
        pidfd = got[0] if got else -1
        return Running(channel, ours, event.get("pid", 0), pidfd, directory, [event])

    def start(self, args: Sequence[str], **how: Any) -> Running:
        return self.send(self.request(args, **how))

    def run(self, args: Sequence[str], stdin: bytes = b"", **how: Any) -> Result:
        running = self.start(args, **how)
        writer = threading.Thread(target=_write, args=(running.client, stdin))
        writer.start()  # beside the reader: the container waits for whoever does not read
        return running.finish(writer.join)

    def sh(self, script: str, **how: Any) -> Result:
        return self.run(["sh", "-c", script], **how)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _write(sock: socket.socket, data: bytes) -> None:
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it failed to start, and its end is closed


def make_rootfs(layer: Path) -> None:
    """busybox and who lives there."""
    busybox = need_program("busybox")
    for name in ("bin", "etc", "proc", "dev", "sys", "tmp", "root"):
        (layer / name).mkdir(parents=True)
    shutil.copy(busybox, layer / "bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for name in set(applets.stdout.split()) - {"busybox"}:
        (layer / "bin" / name).symlink_to("busybox")
    (layer / "etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/u:/bin/sh\n"
    )
    (layer / "etc/group").write_text("root:x:0:\nwheel:x:10:user,root\nuser:x:1000:\n")
