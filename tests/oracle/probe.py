"""From the probe's lines to a dictionary in which what must differ does not.

``read`` is pure: it takes away what is different in any two runs (the
container's id, the daemon's folders, namespace numbers) and keeps the rest.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

SCRIPT = (Path(__file__).parent / "probe.sh").read_text("utf-8")

HEX = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b")

# The cgroup above the containers': what each daemon calls it says nothing.
PARENT = re.compile(r"/(dockerd-test-\d+|minidocker)\b")


def read(text: str, root: Path) -> dict[str, str]:
    """What the probe said.  ``root``: the daemon's folder, whose paths are written ``<root>``."""
    said: dict[str, str] = {}
    for line in text.splitlines():
        key, tab, value = line.partition("\t")
        assert tab, f"the probe printed {line!r}"
        value = value.strip().replace(str(root), "<root>")
        value = PARENT.sub("/<parent>", HEX.sub("<hex>", value))
        while key in said:
            key += "'"  # a second mount on one mount point
        said[key] = normal(key, value)
    return said


def normal(key: str, value: str) -> str:
    """The value without what is the run's own."""
    section = key.partition(".")[0]
    if section == "mount":
        return mount(value)
    if section == "ns":
        return namespace(key, value)
    if section == "try":
        return reason(value)
    if key == "status.Cpus_allowed_list" or section == "uname":
        return "the host's" if value in (host_cpus(), host_kernel()) else value
    return value


def mount(value: str) -> str:
    """One line of mountinfo (proc(5)) from its fourth field on, without numbers and layer paths."""
    root, options, rest = value.split(" ", 2)
    optional, _, (kind, source, settings) = split(rest)
    if root != "/":
        root = "/…/" + root.rpartition("/")[2]
    propagation = re.sub(r"\d+", "N", optional)
    words = []
    for word in settings.split(","):
        name, _, setting = word.partition("=")
        if kind == "overlay" and name in ("lowerdir", "upperdir", "workdir"):
            setting = "…"
        words.append(f"{name}={setting}" if setting else name)
    shown = f"{kind} {source} {options} {propagation}".strip()
    return f"{shown} root={root} super={','.join(words)}"


def split(rest: str) -> tuple[str, str, list[str]]:
    optional, dash, after = f" {rest}".partition(" - ")
    return optional.strip(), dash, after.split(" ", 2)


def namespace(key: str, value: str) -> str:
    """Whether it is the host's namespace, or one of the container's own."""
    kind = key.partition(".")[2]
    return "the host's" if value == os.readlink(f"/proc/self/ns/{kind}") else "its own"


def reason(value: str) -> str:
    """``mount: mounting none on /tmp failed: Permission denied`` is ``Permission denied``."""
    return value.rpartition(": ")[2]


def host_cpus() -> str:
    status = Path("/proc/self/status").read_text()
    return status.partition("Cpus_allowed_list:")[2].split()[0]


def host_kernel() -> str:
    name = os.uname()
    return f"{name.sysname} {name.release} {name.machine}"


def differences(theirs: dict[str, str], ours: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Key -> (Docker's, ours) wherever they are not the same; ``absent`` for no such line."""
    return {
        key: (theirs.get(key, "absent"), ours.get(key, "absent"))
        for key in sorted(theirs.keys() | ours.keys())
        if theirs.get(key, "absent") != ours.get(key, "absent")
    }
