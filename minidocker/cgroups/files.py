"""Reading and writing cgroup files, and walking cgroup directories.

A cgroup is a directory; its files are the interface.  Every failure is an
``OSError`` with the errno and the path, also where the kernel speaks only at
write(2), when Python no longer knows the name.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable

from minidocker.cgroups.waiting import wait_until


def read(path: str) -> str:
    """The whole text of a cgroup file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = []
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(fd)
    return b"".join(chunks).decode()


def read_if_there(path: str) -> str:
    """As ``read``; "" for a file that this kernel or this cgroup does not have.

    Some files exist and yet cannot be read here: what has no hierarchy behind
    it (EOPNOTSUPP), or has been removed just now (ENODEV).
    """
    try:
        return read(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.ENOTDIR):
            return ""
        raise


def write(path: str, value: str) -> None:
    """Write ``value`` in one write(2): the kernel takes each call for a whole command."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(fd)


def children(directory: str) -> list[str]:
    """The cgroups directly below ``directory``; none when it does not exist."""
    try:
        with os.scandir(directory) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def tree(directory: str) -> list[str]:
    """``directory`` and all cgroups below it, each after everything that is below it."""
    found = [each for child in children(directory) for each in tree(child)]
    return [*found, directory]


def pids(directory: str) -> list[int]:
    """All processes of the cgroup and of those below it; none when it does not exist."""
    found: list[int] = []
    for each in tree(directory):
        found += [int(pid) for pid in read_if_there(f"{each}/cgroup.procs").split()]
    return found


def remove_tree(directory: str, seconds: float = 2.0) -> None:
    """Remove a cgroup and all below it; nothing to do when it does not exist.

    rmdir(2) is EBUSY as long as a process is in it, also one that was killed
    and is on its way out: tried again for ``seconds``, then the ``OSError``
    says which processes are still there.
    """

    def removed() -> bool:
        for each in tree(directory):
            try:
                os.rmdir(each)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno == errno.EBUSY:
                    return False
                raise
        return True

    if not wait_until(removed, seconds):
        still = ", ".join(map(str, pids(directory))) or "none that can be seen"
        raise OSError(errno.EBUSY, f"the cgroup is in use (processes: {still})", directory)


def remove_empty(directories: Iterable[str]) -> None:
    """Remove those that nobody uses, and leave the others."""
    for each in directories:
        with contextlib.suppress(OSError):
            os.rmdir(each)
