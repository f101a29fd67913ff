"""Sessions at the docker command line, to be had with any daemon, as data.

A session is a few commands, run in order against one daemon.  A command is
what follows ``docker``, in a shell's quoting; ``stdin`` is written to it and
closed.  ``$IT`` is the session's container name.  What the commands say is
compared between daemons, after ``normal`` has taken away what no two runs share.
"""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.living import LIVING, UNTIL_GONE
from tests.oracle.networking import NETWORKING
from tests.oracle.running import RUNNING
from tests.support.cli import Answer, DockerCli


@dataclass(frozen=True)
class Command:
    line: str
    stdin: str = ""

    def argv(self, container: str) -> list[str]:
        return [word.replace("$IT", container) for word in shlex.split(self.line)]


def command(line: str | tuple[str, str]) -> Command:
    return Command(line) if isinstance(line, str) else Command(line[0], line[1])


SESSIONS = {**NETWORKING, **RUNNING, **LIVING}


def container_of(name: str) -> str:
    """The session's own container name: what one session did is no event of another's."""
    return "session-" + re.sub("[^a-z]+", "-", name)


def play(docker: DockerCli, name: str) -> list[tuple[str, Answer]]:
    """Run the session against the daemon; whatever containers it made are removed."""
    container = container_of(name)
    said = []
    try:
        for line in SESSIONS[name]:
            one = command(line)
            answer = docker(*one.argv(container), input=one.stdin)
            deadline = time.monotonic() + 10
            while one.line == UNTIL_GONE and answer.out and time.monotonic() < deadline:
                time.sleep(0.05)
                answer = docker(*one.argv(container))
            said.append((one.line, answer))
    finally:
        docker("rm", "-f", container, f"{container}-other", f"{container}-2")
    return said


# What dockerd says before and after the reason: the programs it was passed through.
PASSED_THROUGH = re.compile(
    r"(failed to create shim task: |failed to create task for container: )?"
    r"(OCI runtime (create|exec) failed: )((runc create|exec) failed: )?"
    r"(unable to start container process: )?(.*): unknown"
)


# dockerd says so of a machine whose ip_forward is off, for the networks that we do not have yet.
OF_THE_MACHINE = "WARNING: IPv4 forwarding is disabled. Networking will not work.\n"


def normal(text: str, root: Path, container: str) -> str:
    """The text without IDs, the daemon's folders, times, durations, and the names of
    the programs through which dockerd starts a container."""
    text = text.replace(OF_THE_MACHINE, "")
    text = text.replace(str(root), "<root>").replace(container, "$IT")
    text = PASSED_THROUGH.sub(lambda found: found[7], text)
    text = re.sub(r"(sha256:)?\b[0-9a-f]{64}\b", "<id>", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "<short id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", text)
    text = re.sub(r"\b(Less than a second|\d+ seconds?|About a \w+)( ago)?", "<a while>", text)
    text = re.sub(r"(?m)^\d+ {2,}", "<pid>   ", text)  # of docker top
    return re.sub(r" {3,}", "   ", text)  # a table's columns are as wide as the times in them


def differences(
    name: str, theirs: list[tuple[str, str]], ours: list[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """("session: command", Docker's answer, ours) for each command answered differently."""
    return [
        (f"{name}: {line}", said, answered)
        for (line, said), (_, answered) in zip(theirs, ours, strict=True)
        if said != answered
    ]


def shown(answer: Answer, root: Path, container: str) -> str:
    """An answer as one text: the exit code, standard output, and standard error if any."""
    out, err = (normal(text, root, container) for text in (answer.out, answer.err))
    return f"{answer.code} {out}" + (f"\nstderr: {err}" if err else "")
