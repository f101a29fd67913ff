"""Booting a kernel under QEMU, without KVM, and hearing what pytest says inside."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.guest import contents, cpio
from tests.support.need import missing, need_program

SECONDS = 570.0  # all tests take 60, on a machine that is busy several times as long


@dataclass(frozen=True)
class Outcome:
    """``outcome``: "passed", "failed" or "skipped"; ``text`` says why."""

    name: str
    outcome: str
    text: str


@dataclass(frozen=True)
class Report:
    """What a guest has said.  ``exit``: pytest's status there, None if it did not get so far."""

    outcomes: tuple[Outcome, ...]
    exit: int | None
    console: str

    def of(self, name: str) -> list[Outcome]:
        """The outcomes of the test function ``name``, one for each set of parameters."""
        return [each for each in self.outcomes if each.name.partition("[")[0] == name]


@dataclass(frozen=True)
class Kernel:
    image: Path
    modules: Path


def need_kernel() -> Kernel:
    """The newest of Debian's kernels for clouds, which have on board what they need to boot."""
    found = [
        Kernel(image, modules)
        for image in sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"))
        if (modules := Path("/lib/modules", image.name.removeprefix("vmlinuz-"))).is_dir()
    ]
    if not found:
        missing(
            "this test needs /boot/vmlinuz-*-cloud-amd64 and its /lib/modules: "
            "apt-get install linux-image-cloud-amd64, or unpack its files as .ci/run does"
        )
    return found[-1]


def run(arguments: Sequence[str], folder: Path, *, seconds: float = SECONDS) -> Report:
    """Boot a guest that runs pytest with ``arguments``, wait until it is off, read what it said.

    ``folder``: an empty one, for the initramfs and what comes through the two serial ports.
    """
    qemu, kernel = need_program("qemu-system-x86_64"), need_kernel()
    with (folder / "initramfs").open("wb") as file:
        file.writelines(cpio.archive(contents.entries(arguments, kernel.modules)))
    words = {
        "PYTHON": str(contents.python()),
        "PYTHONPATH": contents.packages_path(),
        "REPO": str(contents.REPO),
    }
    variables = " ".join(f"{name}={value}" for name, value in words.items())
    command = [
        *(qemu, "-machine", "accel=tcg", "-cpu", "max", "-smp", "2", "-m", "2048"),
        *("-nodefaults", "-no-reboot", "-display", "none"),
        *("-kernel", str(kernel.image), "-initrd", str(folder / "initramfs")),
        *("-append", f"console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off {variables}"),
        *("-serial", f"file:{folder}/console", "-serial", f"file:{folder}/report"),
    ]
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        pass  # what it said until then is the answer, and that there is no exit status
    return read(folder)


def read(folder: Path) -> Report:
    """What the guest wrote to its serial ports."""
    lines = (folder / "report").read_text(errors="replace").splitlines()
    messages = [json.loads(line) for line in lines if line.endswith("}")]
    outcomes = (Outcome(**each) for each in messages if "name" in each)
    exits = [each["exit"] for each in messages if "exit" in each]
    console = (folder / "console").read_text(errors="replace")
    return Report(tuple(outcomes), exits[0] if exits else None, console)
