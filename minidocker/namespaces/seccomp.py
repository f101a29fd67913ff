"""The filter of system calls, compiled before (``seccomp_profile.py``) and loaded here."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import ClassVar

from minidocker.linux import syscalls
from minidocker.linux.plan import Step


@dataclass(frozen=True)
class LoadSeccomp(Step):
    """From here on each system call passes through this program, also after execve."""

    chapter: ClassVar[str] = "security"
    program: bytes

    @classmethod
    def from_text(cls, text: str) -> LoadSeccomp:
        return cls(base64.b64decode(text))

    def describe(self) -> str:
        return f"seccomp(SECCOMP_SET_MODE_FILTER) with {len(self.program) // 8} instructions"

    def execute(self) -> None:
        syscalls.seccomp_set_mode_filter(self.program)
