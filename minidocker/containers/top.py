"""``docker top``: the host's ``ps``, of which the container's processes are kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection

from minidocker.errors import InvalidParameter, SystemFailure


async def run_ps(arguments: str) -> str:
    """What ``ps ARGUMENTS`` says.  Raises ``InvalidParameter``, ``SystemFailure``."""
    check_arguments(arguments)
    try:
        ps = await asyncio.create_subprocess_exec(
            "ps",
            *arguments.split(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise SystemFailure("top needs the host's ps, which is not there: install procps") from None
    out, err = await ps.communicate()
    if ps.returncode:
        message = err.decode(errors="replace").strip().partition("\n")[0].removeprefix("ps: ")
        raise InvalidParameter(f"ps: {message or f'exit status {ps.returncode}'}")
    return out.decode(errors="replace")


def check_arguments(arguments: str) -> None:
    """A column that is called PID and is none would show other containers' processes.

    Raises ``InvalidParameter`` (moby daemon/top_unix.go, ``validatePSArgs``).
    """
    for column, title in re.findall(r"\s(\S*)=\s*(PID\S*)", f" {arguments}"):
        if column != "pid":
            raise InvalidParameter(f'specifying "{column}={title}" is not allowed')


def parse_ps(text: str, pids: Collection[int]) -> tuple[list[str], list[list[str]]]:
    """Titles, and the rows whose PID is one of ``pids``.

    The last column keeps its spaces.  Raises ``InvalidParameter`` when there is no
    column named PID (moby daemon/top_unix.go, ``parsePSOutput``).
    """
    lines = text.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column or not fields[column].isdecimal():
            continue
        if int(fields[column]) in pids:
            rows.append(fields)
    return titles, rows
