"""What a test needs from the machine, said by name.

On a learner's machine a missing prerequisite skips the test, and the reason
says what to install.  Under ``CI=true`` everything is supposed to be there,
so the same thing is a failure: a suite that skips everything is not green.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

# The program's name and the Debian package that has it, where they differ.
PACKAGES = {
    "busybox": "busybox-static",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "ip": "iproute2",
    "nft": "nftables",
    "newuidmap": "uidmap",
    "ps": "procps",
    "qemu-system-x86_64": "qemu-system-x86",
}

# Daemons live where a user's PATH need not look.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def missing(what: str) -> NoReturn:
    """Skip the running test because of ``what``; fail it where CI is true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI has everything the tests need, but: {what}", pytrace=False)
    pytest.skip(what)


def need_root() -> None:
    """The test makes namespaces, mounts and cgroups for real, as root."""
    if not hasattr(os, "geteuid") or not Path("/proc/self/ns").is_dir():
        missing("this test needs Linux")
    if os.geteuid() != 0:
        missing("this test needs root: run the suite with sudo")


def need_program(name: str, *, package: str | None = None) -> str:
    """Where the program ``name`` is.  ``package`` is Debian's, if not the usual one."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
    if found is None:
        package = package or PACKAGES.get(name, name)
        missing(f"this test needs the program {name}: apt-get install {package}")
    return found


def need_file(path: str | Path, why: str) -> Path:
    """The file or directory ``path``; ``why`` says what it is and how to get it."""
    if not Path(path).exists():
        missing(f"this test needs {path}: {why}")
    return Path(path)


def need_filesystem(name: str) -> None:
    """The kernel has the filesystem ``name`` (it may still have to load its module)."""
    kinds = {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}
    if name not in kinds:
        missing(f"this test needs the filesystem {name} in the kernel: modprobe {name}")
