"""What is in the guest: this Python with its libraries, busybox, two modules, the repository.

Everything stands where it stands here, so that nothing has to be told where it is.
"""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import lzma
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

from tests.guest import cpio
from tests.support.need import missing, need_program

REPO = Path(__file__).resolve().parents[2]
MODULES = ("fs/overlayfs/overlay.ko", "drivers/block/loop.ko")
LIBRARIES = ("seccomp",)  # found by name when the program runs, so ldd does not see them
RUN_BY_TESTS = ("pytest", "pytest-timeout", "hypothesis")

# Parts of the standard library that no test needs, and that are as big as the rest.
LEFT_OUT = re.compile(
    r"/(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|config-[^/]*|site-packages"
    r"|dist-packages)/|/_tkinter\.|\.opt-[12]\.pyc$|\.a$"
)


def python() -> Path:
    """The real interpreter, whatever virtual environment stands before it."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def packages_path() -> str:
    """Where the installed packages are."""
    return sysconfig.get_path("purelib")


def entries(arguments: Iterable[str], modules: Path) -> list[cpio.Entry]:
    """The whole initramfs.  ``modules``: the kernel's folder below /lib/modules.

    ``arguments``: of pytest, as it is called in the guest.
    """
    paths = {*_standard_library(), *_packages(), *_repository(), python()}
    paths |= {Path(found) for name in LIBRARIES if (found := _library(name))}
    paths |= _linked({path for path in paths if _is_elf(path)})
    whole = {_plain(path): _file(path) for path in paths}
    for name, entry in (
        ("init", cpio.file("init", Path(__file__).with_name("init").read_bytes(), executable=True)),
        ("dev/console", cpio.character_device("dev/console", 5, 1)),
        ("guest/arguments", cpio.file("guest/arguments", _lines(arguments))),
        ("etc/passwd", cpio.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")),
        ("etc/group", cpio.file("etc/group", b"root:x:0:\ntty:x:5:\n")),
        ("bin/busybox", cpio.file("bin/busybox", _busybox(), executable=True)),
        *(("sbin/ldconfig", _file(Path(path))) for path in _existing("/sbin/ldconfig")),
        *(("etc/ld.so.cache", _file(Path(path))) for path in _existing("/etc/ld.so.cache")),
        *_kernel_modules(modules),
    ):
        whole[name] = cpio.Entry(name, entry.mode, entry.data, entry.mtime, entry.device)
    return list(whole.values())


def _lines(arguments: Iterable[str]) -> bytes:
    return "".join(f"{each}\n" for each in arguments).encode()


def _plain(path: Path) -> str:
    return os.path.abspath(path).lstrip("/")


def _file(path: Path) -> cpio.Entry:
    status = path.stat()
    executable = bool(status.st_mode & 0o100)
    # Compiled modules hold the time of their source: it has to be right in the guest.
    data, mtime = path.read_bytes(), int(status.st_mtime)
    return cpio.file(_plain(path), data, executable=executable, mtime=mtime)


def _existing(*paths: str) -> list[str]:
    return [path for path in paths if os.path.exists(path)]


def _standard_library() -> Iterator[Path]:
    for name in ("stdlib", "platstdlib"):
        for path in Path(sysconfig.get_path(name)).rglob("*"):
            if path.is_file() and not LEFT_OUT.search(str(path)):
                yield path


def _packages() -> Iterator[Path]:
    """The files of what the project and its tests import, and of what those need."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    todo = [Requirement(each) for each in (*project["dependencies"], *RUN_BY_TESTS)]
    done: set[str] = set()
    while todo:
        requirement = todo.pop()
        if requirement.name in done or not _applies(requirement):
            continue
        done.add(requirement.name)
        distribution = importlib.metadata.distribution(requirement.name)
        todo += map(Requirement, distribution.requires or ())
        for each in distribution.files or ():
            path = Path(str(distribution.locate_file(each)))
            if path.is_file() and path.suffix != ".exe" and "/bin/" not in str(path):
                yield path


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _repository() -> Iterator[Path]:
    yield REPO / "pyproject.toml"
    for part in ("minidocker", "tests"):
        yield from (path for path in (REPO / part).rglob("*") if path.is_file())


def _is_elf(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(4) == b"\x7fELF"


def _linked(programs: Iterable[Path]) -> set[Path]:
    """The shared libraries that ``programs`` are linked with, as ldd(1) finds them here."""
    ldd = need_program("ldd", package="libc-bin")
    answer = subprocess.run(
        [ldd, *map(str, programs)], capture_output=True, text=True, check=False
    )  # it complains of those that are linked with nothing
    found = re.findall(r"(?:=> )?(/\S+) \(0x", answer.stdout)
    return {Path(each) for each in found}


def _library(name: str) -> str | None:
    """The path of the library that ``ctypes.util.find_library`` finds for ``name``."""
    soname = ctypes.util.find_library(name)
    folders = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
    found = [
        path for folder in folders for path in Path(folder).glob(f"**/{soname}") if soname
    ]  # one of them is the link of the other
    return str(found[0]) if found else None


def _busybox() -> bytes:
    return Path(need_program("busybox")).read_bytes()


def _kernel_modules(folder: Path) -> Iterator[tuple[str, cpio.Entry]]:
    """The modules, unpacked: later Debians have them as .ko.xz."""
    for wanted in MODULES:
        [path, *_] = [*(folder / "kernel").glob(f"{wanted}*"), None]
        if path is None:
            missing(f"this test needs {folder}/kernel/{wanted}: .ci/run unpacks it")
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        name = f"guest/modules/{Path(wanted).name}"
        yield name, cpio.file(name, data)
