"""How images and their platforms are named on a command line."""

from __future__ import annotations

import json
import os
import re

from minidocker.errors import InvalidParameter

SYSTEMS = ("darwin", "freebsd", "linux", "netbsd", "openbsd", "windows")
MACHINES = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le"),
    *("ppc64", "ppc64le", "riscv64", "s390x"),
)
SAME = {"i386": "386", "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm"}


def split_reference(image: str) -> tuple[str, str]:
    """``fromImage`` and ``tag`` of a pull: ("alpine", "3.20"), ("alpine", "sha256:..."), or "".

    Raises ``InvalidParameter`` for no name at all; the rest is the daemon's to judge.
    """
    if not image:
        raise InvalidParameter("invalid reference format")
    name, at, digest = image.partition("@")
    if at:
        return name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name, digest
    front, colon, tag = image.rpartition(":")
    return (front, tag) if colon and "/" not in tag else (image, "")


def with_tag(image: str) -> str:
    """The image with the tag that is meant when none is said."""
    return image if split_reference(image)[1] else f"{image}:latest"


def full_name(image: str) -> str:
    """``alpine:latest`` -> ``docker.io/library/alpine:latest``."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash and rest else f"docker.io/library/{image}"


def parse_platform(text: str | None) -> str | None:
    """``linux/arm64/v8``, ``arm64`` or ``linux`` as the API has it in a query: a JSON object.

    Raises ``InvalidParameter`` with Docker's text.  None stays None.
    """
    if text is None:
        return None
    wrong = f'invalid platform: "{text}"'
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", text):
        raise InvalidParameter(f"{wrong}: letters, digits and _ . - only: invalid argument")
    parts = [SAME.get(part, part) for part in text.lower().split("/")]
    if len(parts) > 3 or not all(parts):
        raise InvalidParameter(f"{wrong}: cannot parse platform specifier: invalid argument")
    if parts[0] in MACHINES and len(parts) == 1:
        parts = ["linux", *parts]
    elif parts[0] in SYSTEMS and len(parts) == 1:
        machine = os.uname().machine
        parts += [SAME.get(machine, machine)]
    elif len(parts) == 1:
        raise InvalidParameter(
            f"{wrong}: unknown operating system or architecture: invalid argument"
        )
    return json.dumps(dict(zip(("os", "architecture", "variant"), parts, strict=False)))
