"""Platforms: for which machines an image is, and which of an index's images to take.

Names are Go's (amd64, arm64, 386), with the variants of a processor family
behind them (arm/v7).  A newer machine runs what an older one does, so the best
of several images is the nearest below.

https://pkg.go.dev/github.com/containerd/platforms
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minidocker.errors import InvalidParameter, NotFound
from minidocker.oci import fields

if TYPE_CHECKING:
    from minidocker.oci.descriptor import Descriptor

# Other names -> (architecture, variant)
ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv8l": ("arm", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "loongarch64": ("loong64", ""),
}
ARCHITECTURES = frozenset(
    [
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "mipsle",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "wasm",
    ]
)
SYSTEMS = frozenset(
    [
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "illumos",
        "ios",
        "js",
        "linux",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "wasip1",
        "windows",
    ]
)
_WORD = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Platform:
    """``os``: "linux"; ``architecture``: "amd64"; ``variant``: "v7" or ""."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    def to_json(self) -> dict[str, Any]:
        optional = {
            "os.version": self.os_version,
            "os.features": list(self.os_features),
            "variant": self.variant,
        }
        said = {key: value for key, value in optional.items() if value}
        return {"architecture": self.architecture, "os": self.os, **said}

    @staticmethod
    def from_json(source: fields.Object) -> Platform:
        return Platform(
            fields.text(source, "os"),
            fields.text(source, "architecture"),
            fields.text(source, "variant"),
            fields.text(source, "os.version"),
            fields.texts(source, "os.features"),
        )


def parse_platform(text: str) -> Platform:
    """``os/architecture[/variant]``, or one of the first two with the host's other.

    Normalized: "linux/aarch64/v8" is linux/arm64.  Raises ``InvalidParameter``.
    """
    parts = text.split("/")
    if not all(_WORD.fullmatch(part) for part in parts):
        raise InvalidParameter(
            f'"{text}" is an invalid component of a platform: write os/architecture, as linux/amd64'
        )
    if len(parts) > 3:
        raise InvalidParameter(f'"{text}": cannot parse platform specifier: too many parts')
    if len(parts) > 1:
        return normalize(Platform(parts[0], parts[1], "".join(parts[2:])))
    host, word = host_platform(), parts[0].lower()
    if word in SYSTEMS or word == "macos":
        return normalize(Platform(word, host.architecture, host.variant))
    if (named := normalize(Platform(host.os, word))).architecture in ARCHITECTURES:
        return named
    raise InvalidParameter(f'"{text}": unknown operating system or architecture')


def normalize(platform: Platform) -> Platform:
    """The same platform under the names that everybody uses; a default variant is dropped,
    except that 32-bit ARM always says which (v7, if nothing is said)."""
    system = platform.os.lower()
    architecture, variant = platform.architecture.lower(), platform.variant.lower()
    if architecture in ALIASES:
        architecture, implied = ALIASES[architecture]
        variant = variant or implied
    if variant.isascii() and variant.isdigit():
        variant = f"v{variant}"
    if (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    if architecture == "arm" and not variant:
        variant = "v7"
    return Platform(
        "darwin" if system == "macos" else system,
        architecture,
        variant,
        platform.os_version,
        platform.os_features,
    )


def host_platform() -> Platform:
    """The machine that this runs on.  uname(2)"""
    host = os.uname()
    return normalize(Platform(host.sysname, host.machine))


def acceptable(wanted: Platform) -> list[tuple[str, str]]:
    """(architecture, variant) of all images that ``wanted`` can run, the best first."""
    wanted = normalize(wanted)
    architecture, variant = wanted.architecture, wanted.variant
    level = int(variant[1:]) if re.fullmatch(r"v[1-9]", variant) else 0
    if architecture == "amd64":
        levels = [("amd64", f"v{n}") for n in range(level, 1, -1)]
        return [*levels, ("amd64", ""), ("386", "")]
    if architecture == "arm":
        return [("arm", variant), *(("arm", f"v{n}") for n in range(level - 1, 4, -1))]
    if architecture == "arm64":
        newer = [("arm64", variant)] if variant else []
        return [*newer, ("arm64", ""), *(("arm", f"v{n}") for n in range(8, 4, -1))]
    return [(architecture, variant)]


def runs_on(image: Platform, wanted: Platform) -> bool:
    """Whether an image of this platform is what ``wanted`` asks for."""
    image, wanted = normalize(image), normalize(wanted)
    return image.os == wanted.os and (image.architecture, image.variant) in acceptable(wanted)


def choose(descriptors: Sequence[Descriptor], wanted: Platform) -> Descriptor:
    """The index's entry for the platform ``wanted``: the nearest variant, the first of equals.

    An entry that names no platform is for nobody.  Raises ``NotFound`` in Docker's words.
    """
    ranks = {pair: rank for rank, pair in enumerate(acceptable(wanted))}
    best: tuple[int, Descriptor] | None = None
    for descriptor in descriptors:
        if descriptor.platform is None or not runs_on(descriptor.platform, wanted):
            continue
        platform = normalize(descriptor.platform)
        rank = ranks[platform.architecture, platform.variant]
        if best is None or rank < best[0]:
            best = rank, descriptor
    if best is None:
        raise NotFound(f"no matching manifest for {normalize(wanted)} in the manifest list entries")
    return best[1]
