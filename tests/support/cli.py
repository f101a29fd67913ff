"""The real docker command, pointed at one daemon."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.need import need_program


@dataclass(frozen=True)
class Answer:
    """What a command said: exit code, standard output and standard error as text."""

    code: int
    out: str
    err: str

    def ok(self) -> str:
        """Standard output without the last newline; an AssertionError if the command failed."""
        assert self.code == 0, f"exit code {self.code}: {self.err or self.out}"
        return self.out.rstrip("\n")


def run(
    argv: list[str], *, env: Mapping[str, str] | None = None, input: str = "", timeout: float = 60
) -> Answer:
    """Run ``argv`` to its end.  ``input`` is its whole standard input."""
    answer = subprocess.run(
        argv,
        env=env,
        input=input.encode(),
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    out, err = (text.decode(errors="replace") for text in (answer.stdout, answer.stderr))
    return Answer(answer.returncode, out, err)


@dataclass(frozen=True)
class DockerCli:
    """``docker`` against the daemon on ``socket``; ``config`` is an empty folder, so that
    nothing of the user's own settings (contexts, credentials, plugins) takes part."""

    socket: Path
    config: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.config),
            "DOCKER_CLI_HINTS": "false",
        }

    def argv(self, *args: str) -> list[str]:
        return [need_program("docker"), *args]

    def __call__(self, *args: str, input: str = "", timeout: float = 60) -> Answer:
        return run(self.argv(*args), env=self.environment, input=input, timeout=timeout)

    def popen(self, *args: str) -> subprocess.Popen[bytes]:
        """The command with pipes on all three streams, for those who talk to it as it runs."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.argv(*args), env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    def remove_all_containers(self) -> None:
        names = self("ps", "-aq").out.split()
        if names:
            self("rm", "-f", *names)
