"""What containers there are, and what one of them has: ``ps``, ``top``, ``port``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import FILTER, FORMAT, NO_TRUNC, Flag, filters, parse_int, switch
from minidocker.client.format.rows import Columns, show
from minidocker.client.format.tables import draw, truncate
from minidocker.client.session import Session
from minidocker.client.units import human_duration, human_size
from minidocker.errors import InvalidParameter

Json = Mapping[str, Any]

SHORT_ID = 12  # hex digits
COMMAND_WIDTH, MOUNT_WIDTH = 20, 15

PLAIN = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")
TITLES = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "CreatedAt": "CREATED AT",
    "Status": "STATUS",
    "State": "STATE",
    "Ports": "PORTS",
    "Names": "NAMES",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}
KIND = "formatter.ContainerContext"
EMPTY: Json = {
    "Id": "",
    "Names": (),
    "Image": "",
    "Command": "",
    "Created": 0,
    "State": "",
    "Status": "",
}


def ps(session: Session, values: Values, names: list[str]) -> int:
    """Running containers, newest first; all of them with ``-a``, ``-n`` and ``-l``."""
    last = 1 if values["latest"] else max(values["last"], 0)
    form = values["format"] or ""
    sized = values["size"] or asks_for_size(form)
    if values["quiet"] and form:
        print(
            "WARNING: Ignoring custom format, because both --format and --quiet are set.",
            file=sys.stderr,
        )
    containers = session.daemon.ask(
        "GET",
        "/containers/json",
        all=values["all"] or bool(last) or None,
        limit=last or None,
        size=sized or None,
        filters=filters(values["filter"]),
    ).json()
    rows = [container_row(each, time.time(), not values["no_trunc"]) for each in containers]
    if values["quiet"]:
        form = "{{.ID}}"
    show(Columns(KIND, TITLES, (*PLAIN, "Size") if values["size"] else PLAIN), rows, form)
    return 0


def asks_for_size(form: str) -> bool:
    """Whether a template needs the sizes, which take the daemon long; it is tried on no container.

    Raises ``InvalidParameter`` for one that is wrong.
    """
    if "{{" not in form:
        return False
    from minidocker.client.format.template import Template
    from minidocker.client.format.values import Row

    try:
        template = Template(form)
    except InvalidParameter as error:
        raise InvalidParameter(f"failed to parse template: {error}") from None
    asked: set[str] = set()

    class Remembering(Row):
        def __getitem__(self, name: str) -> Any:
            asked.add(name)
            return super().__getitem__(name)

    try:
        template.render(Remembering(KIND, container_row(EMPTY, 0, True)))
    except InvalidParameter as error:
        raise InvalidParameter(f"failed to execute template: {error}") from None
    return "Size" in asked


def container_row(container: Json, now: float, short: bool) -> dict[str, Any]:
    """The fields that ``ps --format`` offers, for one of ContainerList's objects."""
    labels = container.get("Labels") or {}
    cut: Callable[[str, int], str] = truncate if short else lambda text, _: text
    image = str(container["Image"])
    if image.startswith("sha256:") and short:
        image = image.removeprefix("sha256:")[:SHORT_ID]
    mounts = [str(each.get("Name") or each["Source"]) for each in container.get("Mounts") or ()]
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return {
        "ID": str(container["Id"])[:SHORT_ID] if short else container["Id"],
        "Image": image or "<no image>",
        "Command": f'"{cut(str(container["Command"]), COMMAND_WIDTH)}"',
        "RunningFor": f"{human_duration(now - container['Created'])} ago",
        "CreatedAt": moment(container["Created"]),
        "Status": container["Status"],
        "State": container["State"],
        "Ports": ports_text(container.get("Ports") or ()),
        "Names": ",".join(name.removeprefix("/") for name in container["Names"]),
        "Size": size_text(container),
        "Labels": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
        "Label": lambda name: labels.get(name, ""),
        "Mounts": ",".join(cut(mount, MOUNT_WIDTH) for mount in mounts),
        "LocalVolumes": str(
            sum(each.get("Driver") == "local" for each in container.get("Mounts") or ())
        ),
        "Networks": ",".join(sorted(networks)),
        "Platform": platform_of(container),
    }


def platform_of(container: Json) -> str | None:
    """``linux/amd64``; None where the engine does not tell (ImageManifestDescriptor)."""
    platform = (container.get("ImageManifestDescriptor") or {}).get("platform") or {}
    parts = (platform.get(name) for name in ("os", "architecture", "variant"))
    return "/".join(filter(None, parts)) or None


def moment(seconds: int) -> str:
    """``2024-01-02 13:23:37 +0000 UTC``, local, as Go prints a time."""
    at = time.localtime(seconds)
    return time.strftime("%Y-%m-%d %H:%M:%S %z ", at) + (at.tm_zone or "UTC")


def size_text(container: Json) -> str:
    """``2B (virtual 4.27MB)``."""
    written, whole = container.get("SizeRw") or 0, container.get("SizeRootFs") or 0
    text = human_size(written, 3)
    return f"{text} (virtual {human_size(whole, 3)})" if whole else text


def ports_text(ports: Sequence[Json]) -> str:
    """``0.0.0.0:8080->80/tcp, 443/tcp``."""
    texts = []
    for port in sorted(ports, key=lambda each: (each["PrivatePort"], str(each.get("IP")))):
        inside = f"{port['PrivatePort']}/{port['Type']}"
        if port.get("PublicPort"):
            address = str(port.get("IP") or "")
            address = f"[{address}]" if ":" in address else address
            inside = f"{address}:{port['PublicPort']}->{inside}"
        texts.append(inside)
    return ", ".join(dict.fromkeys(texts))


def top(session: Session, values: Values, arguments: list[str]) -> int:
    """The container's processes as ``ps`` of its machine shows them."""
    name, *options = arguments
    answer = session.daemon.ask(
        "GET", f"/containers/{name}/top", ps_args=" ".join(options) or None
    ).json()
    print(draw([answer["Titles"], *answer["Processes"]], minimum=20, padding=3))
    return 0


def port(session: Session, values: Values, arguments: list[str]) -> int:
    """Where the container's ports are on the host: all of them, or those of one port."""
    name, *wanted = arguments
    shown = session.daemon.ask("GET", f"/containers/{name}/json").json()
    bound = (shown.get("NetworkSettings") or {}).get("Ports") or {}
    if not wanted:
        lines = [f"{inside} -> {place(each)}" for inside in bound for each in bound[inside] or ()]
        print("".join(f"{line}\n" for line in sorted(lines, key=natural)), end="")
        return 0
    number, _, protocol = wanted[0].partition("/")
    protocol = protocol or "tcp"
    if not number.isdigit():
        raise Failed(f"Error: invalid port ({number}): write a number, as in 80 or 80/udp")
    found = bound.get(f"{number}/{protocol}")
    if not found:
        raise Failed(f"no public port '{wanted[0]}' published for {name}")
    print("".join(f"{place(each)}\n" for each in found), end="")
    return 0


def place(binding: Mapping[str, str]) -> str:
    """``0.0.0.0:8080``, ``[::]:8080``."""
    address = binding["HostIp"]
    return f"{f'[{address}]' if ':' in address else address}:{binding['HostPort']}"


def natural(text: str) -> list[Any]:
    """A key by which 9 comes before 10."""
    import re

    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


PS = Verb(
    "[OPTIONS]",
    ps,
    (
        switch("all", "Show all containers (default shows just running)", "a"),
        FILTER,
        FORMAT,
        Flag(
            "last",
            "int",
            "Show n last created containers (includes all states) (default -1)",
            "n",
            parse_int,
            -1,
        ),
        switch("latest", "Show the latest created container (includes all states)", "l"),
        NO_TRUNC,
        switch("quiet", "Only display container IDs", "q"),
        switch("size", "Display total file sizes", "s"),
    ),
    0,
    0,
)
TOP = Verb("CONTAINER [ps OPTIONS]", top, least=1, flags_first=True)
PORT = Verb("CONTAINER [PRIVATE_PORT[/PROTO]]", port, least=1, most=2)
