"""Capabilities by name, and the steps that give up all but a few.

Root's power is cut in some forty pieces (capabilities(7)); a container keeps
fourteen of them.  A set is a bit mask: bit N is capability number N.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import flags, syscalls
from minidocker.linux.plan import Step

# <linux/capability.h>, in the order of their numbers.
NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)

DEFAULT = (
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""The fourteen that Docker leaves to a container."""


def mask_of(names: Iterable[str]) -> int:
    """The bit mask of a set of names, e.g. ``{"CAP_CHOWN", "CAP_KILL"}`` is 0x21.

    Raises ``ValueError`` for a name that is no capability.
    """
    mask = 0
    for name in names:
        mask |= 1 << NAMES.index(name)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    """The names in a bit mask, in the order of their numbers; unknown bits are left out."""
    return tuple(name for number, name in enumerate(NAMES) if mask >> number & 1)


def bounding_set() -> tuple[str, ...]:
    """What this process could have at the most: PR_CAPBSET_READ for each capability."""
    held = []
    for number, name in enumerate(NAMES):
        try:
            if syscalls.prctl(flags.PR_CAPBSET_READ, number):
                held.append(name)
        except OSError:  # EINVAL: the kernel is older than this capability
            continue
    return tuple(held)


@dataclass(frozen=True)
class DropBoundingSet(Step):
    """No program executed from here on can ever hold more than ``keep``."""

    chapter: ClassVar[str] = "security"
    keep: tuple[str, ...]

    def describe(self) -> str:
        return f"prctl(PR_CAPBSET_DROP) each capability but {len(self.keep)}"

    def execute(self) -> None:
        for name in bounding_set():
            if name not in self.keep:
                syscalls.prctl(flags.PR_CAPBSET_DROP, NAMES.index(name))


@dataclass(frozen=True)
class SetCapabilities(Step):
    """The sets of the process, within the bounding set.

    A user that is not root is left with the ambient ones, as execve(2) leaves it:
    already here, or CAP_DAC_OVERRIDE would still let it execute a file of root's.
    """

    chapter: ClassVar[str] = "security"
    effective: tuple[str, ...]
    permitted: tuple[str, ...]
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()

    def describe(self) -> str:
        return (
            f"capset(effective={len(self.effective)}, permitted={len(self.permitted)}, "
            f"inheritable={len(self.inheritable)}) and {len(self.ambient)} ambient"
        )

    def execute(self) -> None:
        # Nobody can raise what was not theirs: a launcher that itself lacks
        # CAP_SYS_RESOURCE (a container in a container) gives what there is.
        possible = mask_of(bounding_set())
        permitted = mask_of(self.permitted) & possible
        effective = mask_of(self.effective) & permitted
        inheritable = mask_of(self.inheritable) & possible
        if os.geteuid() != 0:
            permitted &= mask_of(self.ambient)
            effective &= permitted
        syscalls.capset(effective, permitted, inheritable)
        syscalls.prctl(flags.PR_CAP_AMBIENT, flags.PR_CAP_AMBIENT_CLEAR_ALL)
        for name in names_of(mask_of(self.ambient) & permitted & inheritable):
            syscalls.prctl(flags.PR_CAP_AMBIENT, flags.PR_CAP_AMBIENT_RAISE, NAMES.index(name))
