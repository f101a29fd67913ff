"""``version`` and ``info``: what both ends are, and what the daemon says of its machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import OBJECT_FORMAT
from minidocker.client.references import SAME
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


def own() -> Json:
    """This side, as ``version`` and ``info`` have it."""
    machine = os.uname().machine
    return {
        "Version": own_version(),
        "ApiVersion": API_VERSION,
        "DefaultAPIVersion": API_VERSION,
        "GoVersion": "python" + ".".join(map(str, sys.version_info[:3])),
        "Os": "linux",
        "Arch": SAME.get(machine, machine),
        "Context": "default",
    }


def version(session: Session, values: Values, names: list[str]) -> int:
    """Both ends' versions; the client's alone, and exit code 1, when there is no daemon."""
    show = None
    if form := values["format"]:
        from minidocker.client.format.objects import renderer

        show = renderer(form, "system.versionInfo", "version")
    server, failure = ask(session, "/version")
    if show is not None:
        print(show({"Client": own(), "Server": server}))
    else:
        print("\n".join(version_lines(own(), server)))
    if failure is not None:
        raise Failed(str(failure))
    return 0


def ask(session: Session, path: str) -> tuple[Json | None, MinidockerError | None]:
    """What the daemon says, or why it says nothing."""
    try:
        said: Json = session.daemon.ask("GET", path).json()
        return said, None
    except MinidockerError as error:
        return None, error


def version_lines(client: Json, server: Json | None) -> list[str]:
    """Both ends' versions, a line each; ``server`` None: nobody answers there."""
    rows = [
        ("Version", client["Version"]),
        ("API version", client["ApiVersion"]),
        ("Python version", client["GoVersion"].removeprefix("python")),
        ("OS/Arch", f"{client['Os']}/{client['Arch']}"),
    ]
    lines = ["Client: minidocker", *(f" {name + ':':18} {value}" for name, value in rows)]
    if server is None:
        return lines
    name = (server.get("Platform") or {}).get("Name") or "minidocker"
    api = f"{server.get('ApiVersion')} (minimum version {server.get('MinAPIVersion')})"
    rows = [
        ("Version", server.get("Version")),
        ("API version", api),
        ("OS/Arch", f"{server.get('Os')}/{server.get('Arch')}"),
        ("Kernel", server.get("KernelVersion")),
    ]
    engine = (f"  {key + ':':17} {value}" for key, value in rows)
    return [*lines, "", f"Server: {name}", " Engine:", *engine]


def info(session: Session, values: Values, names: list[str]) -> int:
    """What the daemon says about itself and its machine; its warnings on standard error."""
    show = None
    if form := values["format"]:
        from minidocker.client.format.objects import renderer

        show = renderer(form, "system.dockerInfo")
    told, failure = ask(session, "/info")
    if show is not None:
        client = {**own(), "Debug": False, "Plugins": [], "Warnings": None}
        print(show({**(told or {}), "ClientInfo": client}))
    else:
        print("\n".join(client_lines(session)))
        if told is not None:
            print("\n".join(info_lines(told)))
            for warning in told.get("Warnings") or ():
                print(warning, file=sys.stderr)
    if failure is not None:
        raise Failed(str(failure))
    return 0


def client_lines(session: Session) -> list[str]:
    return [
        "Client:",
        f" Version:    {own_version()}",
        f" Daemon:     {session.address}",
        "",
        "Server:",
    ]


def info_lines(told: Json) -> list[str]:
    """What the docker command shows of ``/info``, in its order, what there is of it."""
    lines = [
        f" Containers: {told.get('Containers', 0)}",
        f"  Running: {told.get('ContainersRunning', 0)}",
        f"  Paused: {told.get('ContainersPaused', 0)}",
        f"  Stopped: {told.get('ContainersStopped', 0)}",
        f" Images: {told.get('Images', 0)}",
        *plain(told, ("Server Version", "ServerVersion"), ("Storage Driver", "Driver")),
        *(f"  {key}: {value}" for key, value in told.get("DriverStatus") or ()),
        *plain(told, ("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver")),
        *plain(told, ("Cgroup Version", "CgroupVersion")),
        " Plugins:",
        *plugin_lines(told.get("Plugins") or {}),
        f" Swarm: {(told.get('Swarm') or {}).get('LocalNodeState') or 'inactive'}",
        f" Runtimes: {' '.join(sorted(told.get('Runtimes') or ()))}",
        *plain(told, ("Default Runtime", "DefaultRuntime"), ("Init Binary", "InitBinary")),
        *security_lines(told.get("SecurityOptions") or ()),
        *plain(told, ("Kernel Version", "KernelVersion"), ("Operating System", "OperatingSystem")),
        *plain(told, ("OSType", "OSType"), ("Architecture", "Architecture"), ("CPUs", "NCPU")),
        f" Total Memory: {binary_size(told.get('MemTotal') or 0)}",
        *plain(told, ("Name", "Name"), ("ID", "ID"), ("Docker Root Dir", "DockerRootDir")),
        f" Debug Mode: {truth(told.get('Debug'))}",
        *plain(told, ("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy")),
        *plain(told, ("No Proxy", "NoProxy")),
        *listed("Labels", told.get("Labels")),
        f" Experimental: {truth(told.get('ExperimentalBuild'))}",
    ]
    registries = told.get("RegistryConfig") or {}
    lines += listed("Insecure Registries", registries.get("InsecureRegistryCIDRs"))
    lines += listed("Registry Mirrors", registries.get("Mirrors"))
    return [*lines, f" Live Restore Enabled: {truth(told.get('LiveRestoreEnabled'))}", ""]


def plain(told: Json, *titles: tuple[str, str]) -> list[str]:
    """A line for each title whose field says something."""
    return [f" {title}: {told[key]}" for title, key in titles if told.get(key)]


def listed(title: str, values: Sequence[str] | None) -> list[str]:
    return [f" {title}:", *(f"  {value}" for value in values)] if values else []


def truth(value: object) -> str:
    return "true" if value else "false"


def plugin_lines(plugins: Mapping[str, Sequence[str] | None]) -> list[str]:
    kinds = ("Volume", "Network", "Authorization", "Log")
    return [f"  {kind}: {' '.join(plugins[kind] or ())}" for kind in kinds if plugins.get(kind)]


def security_lines(options: Sequence[str]) -> list[str]:
    """``name=seccomp,profile=builtin`` as two lines, the second one deeper."""
    lines = [" Security Options:"] if options else []
    for option in options:
        name, *details = option.split(",")
        lines.append(f"  {name.removeprefix('name=')}")
        for detail in details:
            key, _, value = detail.partition("=")
            lines.append(f"   {key.capitalize()}: {value}")
    return lines


VERSION = Verb("[OPTIONS]", version, (OBJECT_FORMAT,), 0, 0)
INFO = Verb("[OPTIONS]", info, (OBJECT_FORMAT,), 0, 0)
