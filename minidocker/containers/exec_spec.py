"""What an exec is asked to be, and how it stands: two plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExecSpec:
    command: tuple[str, ...]
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    tty: bool = False
    privileged: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    console_size: tuple[int, int] = (0, 0)  # rows, columns


@dataclass(frozen=True)
class Exec:
    id: str
    container_id: str
    spec: ExecSpec
    running: bool = False
    started: bool = False
    exit_code: int | None = None  # None until it ended
    pid: int = 0
