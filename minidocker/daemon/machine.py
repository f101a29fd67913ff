"""What must be so before the daemon may start: root, overlay, a root of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from minidocker.daemon.system import filesystem_of
from minidocker.errors import Conflict, Forbidden, SystemFailure

LOCK = "daemon.lock"


def need_root() -> None:
    """Raises ``Forbidden`` for everybody else."""
    if os.geteuid() != 0:
        raise Forbidden(
            "the daemon must be run as root, for it makes namespaces, mounts and cgroups: "
            "start it with sudo"
        )


def need_overlay(filesystems: Path = Path("/proc/filesystems")) -> None:
    """Raises ``SystemFailure`` when the kernel has no overlayfs and cannot load it."""
    if _has_overlay(filesystems):
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["modprobe", "overlay"], capture_output=True, timeout=10, check=True)
    if not _has_overlay(filesystems):
        raise SystemFailure(
            "this kernel has no overlay file system, of which containers' roots are made: "
            "load it with modprobe overlay, or use a kernel with CONFIG_OVERLAY_FS"
        )


def _has_overlay(filesystems: Path) -> bool:
    return "overlay" in filesystems.read_text().split()


def need_upper(data_root: Path, mountinfo: str) -> None:
    """An overlay's upper layer cannot lie on an overlay.  Raises ``SystemFailure``."""
    kind = filesystem_of(data_root, mountinfo)
    if kind in ("overlay", "nfs", "nfs4", "fuse"):
        raise SystemFailure(
            f"the data root {data_root} is on a file system of type {kind}, on which the kernel "
            "allows no layer of a container: choose a --data-root on ext4, xfs, btrfs or tmpfs"
        )


def make_directory(path: Path, mode: int) -> None:
    """Raises ``SystemFailure`` with the reason."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    except OSError as error:
        raise SystemFailure(f"cannot make the directory {path}: {error.strerror}") from error


@contextlib.contextmanager
def only_daemon(directory: Path, flag: str) -> Iterator[None]:
    """Hold ``directory`` (the value of ``flag``) alone; the kernel lets go when we end.

    Raises ``Conflict`` when another daemon holds it.
    """
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(fd, 32).decode(errors="replace").strip()
            raise Conflict(
                f"another daemon (process {holder or 'unknown'}) uses {directory}: stop it, or "
                f"give this one its own with --data-root and --exec-root ({flag} is taken)"
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def pid_file(path: Path) -> Iterator[None]:
    """Our process number in ``path`` for as long as we live.

    Raises ``SystemFailure``, and ``Conflict`` when it is a living daemon's.
    """
    if (other := daemon_of(path)) is not None:
        raise Conflict(
            f"the pidfile {path} belongs to the daemon with process number {other}: stop it, or "
            "give this one its own with --pidfile"
        )
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(f"{os.getpid()}\n")
        temporary.rename(path)
    except OSError as error:
        raise SystemFailure(f"cannot write the pidfile {path}: {error.strerror}") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text().strip() == str(os.getpid()):
                path.unlink()


def daemon_of(pidfile: Path) -> int | None:
    """The process of which the file speaks, if it lives and is a daemon of this engine."""
    try:
        pid = int(pidfile.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return (
        pid
        if pid != os.getpid() and b"daemon" in words and b"minidocker" in b" ".join(words)
        else None
    )


def engine_id(path: Path) -> str:
    """The ID of this data root, made once."""
    import uuid

    with contextlib.suppress(FileNotFoundError):
        if text := path.read_text().strip():
            return text
    made = str(uuid.uuid4())
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(made + "\n")
    temporary.rename(path)
    return made
