"""``version``, ``info``, and the daemon in the background."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from minidocker.client import background
from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import string
from minidocker.client.session import Session
from minidocker.client.units import binary_size
from minidocker.errors import MinidockerError

Json = Mapping[str, Any]

API_VERSION = "1.50"


def own_version() -> str:
    """This package's version; read from its metadata or, in a source tree, from the package."""
    import minidocker

    return minidocker.__version__


def version_line() -> str:
    """What ``--version`` prints."""
    return f"minidocker version {own_version()}"


def version(session: Session, values: Values, names: list[str]) -> int:
    """Both ends' versions; the client's alone, and exit code 1, when there is no daemon."""
    client = {
        "Version": own_version(),
        "ApiVersion": API_VERSION,
        "PythonVersion": platform.python_version(),
        "Os": "linux",
        "Arch": platform.machine(),
    }
    try:
        server, failure = session.daemon.ask("GET", "/version").json(), None
    except MinidockerError as error:
        server, failure = None, error
    if form := values["format"]:
        from minidocker.client.template import Template, to_json

        both = {"Client": client, "Server": server}
        print(to_json(both) if form == "json" else Template(form).render(both))
    else:
        print("\n".join(version_lines(client, server)))
    if failure is not None:
        raise Failed(str(failure))
    return 0


def version_lines(client: Json, server: Json | None) -> list[str]:
    """Both ends' versions, a line each; ``server`` None: nobody answers there."""
    rows = [
        ("Version", client["Version"]),
        ("API version", client["ApiVersion"]),
        ("Python version", client["PythonVersion"]),
        ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
    ]
    lines = ["Client: minidocker", *(f" {name + ':':18} {value}" for name, value in rows)]
    if server is None:
        return lines
    name = (server.get("Platform") or {}).get("Name") or "minidocker"
    rows = [
        ("Version", server.get("Version")),
        (
            "API version",
            f"{server.get('ApiVersion')} (minimum version {server.get('MinAPIVersion')})",
        ),
        ("OS/Arch", f"{server.get('Os')}/{server.get('Arch')}"),
        ("Kernel", server.get("KernelVersion")),
    ]
    return [*lines, "", f"Server: {name}", *(f"  {key + ':':17} {value}" for key, value in rows)]


def info(session: Session, values: Values, names: list[str]) -> int:
    """What the daemon says about itself and its machine."""
    told = session.daemon.ask("GET", "/info").json()
    if form := values["format"]:
        from minidocker.client.template import Template, to_json

        print(to_json(told) if form == "json" else Template(form).render(told))
        return 0
    print("\n".join(info_lines(told, session.daemon.address)))
    return 0


def info_lines(told: Json, address: object) -> list[str]:
    """``info`` as the docker command lays it out, what there is of it."""
    lines = ["Client:", f" Version:    {own_version()}", f" Daemon:     {address}", "", "Server:"]
    lines += [
        f" Containers: {told.get('Containers', 0)}",
        f"  Running: {told.get('ContainersRunning', 0)}",
        f"  Paused: {told.get('ContainersPaused', 0)}",
        f"  Stopped: {told.get('ContainersStopped', 0)}",
        f" Images: {told.get('Images', 0)}",
        f" Server Version: {told.get('ServerVersion', '')}",
        f" Storage Driver: {told.get('Driver', '')}",
    ]
    lines += [f"  {key}: {value}" for key, value in told.get("DriverStatus") or ()]
    plain = {
        "Logging Driver": "LoggingDriver",
        "Cgroup Driver": "CgroupDriver",
        "Cgroup Version": "CgroupVersion",
    }
    lines += [f" {title}: {told[key]}" for title, key in plain.items() if told.get(key)]
    if options := told.get("SecurityOptions"):
        lines += [" Security Options:"]
        lines += [f"  {option.removeprefix('name=').split(',')[0]}" for option in options]
    plain = {
        "Kernel Version": "KernelVersion",
        "Operating System": "OperatingSystem",
        "OSType": "OSType",
        "Architecture": "Architecture",
        "CPUs": "NCPU",
    }
    lines += [f" {title}: {told[key]}" for title, key in plain.items() if told.get(key)]
    lines += [f" Total Memory: {binary_size(told.get('MemTotal') or 0)}"]
    plain = {"Name": "Name", "ID": "ID", "Docker Root Dir": "DockerRootDir"}
    lines += [f" {title}: {told[key]}" for title, key in plain.items() if told.get(key)]
    return [*lines, *(told.get("Warnings") or ())]


def daemon_run(session: Session, values: Values, flags: list[str]) -> int:
    """Becomes the daemon: for ``minidocker -H ... daemon run``, which the entry point let by."""
    import os
    import sys

    os.execv(sys.executable, [sys.executable, "-m", "minidocker", "daemon", "run", *flags])


def only_by_flags(session: Session, command: str) -> None:
    """These go by where a daemon keeps its files, and must not mean another than was named."""
    if not session.embedded:
        raise Failed(
            f"daemon {command} does not go by -H or DOCKER_HOST, which name a socket: say where "
            f"the daemon lives, as in daemon {command} --exec-root DIR (or --pidfile FILE)"
        )


def daemon_start(session: Session, values: Values, flags: list[str]) -> int:
    only_by_flags(session, "start")
    running, text = background.status(flags)
    if running:
        raise Failed(f"the daemon is there already ({text})")
    background.start(flags, print)
    print(background.status(flags)[1])
    return 0


def daemon_stop(session: Session, values: Values, flags: list[str]) -> int:
    only_by_flags(session, "stop")
    background.stop(flags)
    print("stopped; containers that run go on")
    return 0


def daemon_status(session: Session, values: Values, flags: list[str]) -> int:
    """Exit code 0 when it answers, 1 when not."""
    only_by_flags(session, "status")
    running, text = background.status(flags)
    print(text)
    return 0 if running else 1


FORMAT = string("format", "'json', or a Go template", "f")
VERSION = Verb("[OPTIONS]", "Show the version information", version, (FORMAT,), 0, 0)
INFO = Verb("[OPTIONS]", "Display system-wide information", info, (FORMAT,), 0, 0)

THEIRS = "[DAEMON FLAGS]"
RUN_HELP = "Be the daemon, in the foreground (its flags: minidocker daemon run --help)"
DAEMON_RUN = Verb(THEIRS, RUN_HELP, daemon_run, theirs=True)
DAEMON_START = Verb(THEIRS, "Start the daemon in the background", daemon_start, theirs=True)
DAEMON_STOP = Verb(THEIRS, "Stop the daemon; its containers go on", daemon_stop, theirs=True)
DAEMON_STATUS = Verb(THEIRS, "Say whether the daemon runs", daemon_status, theirs=True)
