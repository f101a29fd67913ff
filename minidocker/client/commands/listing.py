"""Lists: ``ps``, ``images``, ``top``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Values, Verb
from minidocker.client.flags import many, number, string, switch
from minidocker.client.formatting import lines
from minidocker.client.session import Session
from minidocker.client.tables import draw, truncate
from minidocker.client.units import human_duration, human_size
from minidocker.errors import InvalidParameter
from minidocker.wire.filters import encode

Json = Mapping[str, Any]

SHORT_ID = 12  # hex digits
COMMAND_WIDTH = 20

PS_TITLES = {
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
PS_FIELDS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")

IMAGE_TITLES = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
}


def filters(given: Sequence[str]) -> str | None:
    """``--filter key=value``, again and again, as the query wants it."""
    found: dict[str, list[str]] = {}
    for text in given:
        key, separator, value = text.partition("=")
        if not separator:
            raise InvalidParameter(f"invalid argument {text!r}: bad format of filter (name=value)")
        found.setdefault(key.strip().lower(), []).append(value.strip())
    return encode(found) if found else None


def ps(session: Session, values: Values, names: list[str]) -> int:
    """Running containers, newest first; all of them with ``-a``, ``-n`` and ``-l``."""
    last = 1 if values["latest"] else values["last"]
    last = None if last is None or last < 0 else last
    form = values["format"] or ""
    containers = session.daemon.ask(
        "GET",
        "/containers/json",
        all=values["all"] or bool(last) or None,
        limit=last or None,
        size=values["size"] or ".Size" in form or None,
        filters=filters(values["filter"]),
    ).json()
    if values["quiet"] and not form:
        for container in containers:
            print(container["Id"] if values["no_trunc"] else container["Id"][:SHORT_ID])
        return 0
    rows = [container_row(each, time.time(), not values["no_trunc"]) for each in containers]
    fields = (*PS_FIELDS, "Size") if values["size"] else PS_FIELDS
    _print(lines(rows, PS_TITLES, fields, form))
    return 0


def _print(text: str) -> None:
    if text:
        print(text)


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
        "Mounts": ",".join(cut(mount, 15) for mount in mounts),
        "LocalVolumes": str(
            sum(each.get("Driver") == "local" for each in container.get("Mounts") or ())
        ),
        "Networks": ",".join(sorted(networks)),
        "Platform": "",
    }


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


def images(session: Session, values: Values, names: list[str]) -> int:
    """A row for each name of each image, newest image first."""
    wanted = list(values["filter"]) + [f"reference={name}" for name in names]
    found = session.daemon.ask(
        "GET",
        "/images/json",
        all=values["all"] or None,
        digests=values["digests"] or None,
        filters=filters(wanted),
    ).json()
    found.sort(key=lambda image: -image["Created"])
    short = not values["no_trunc"]
    rows = [
        row
        for image in found
        for row in image_rows(image, time.time(), short, bool(values["digests"]))
    ]
    form = values["format"] or ""
    if values["quiet"] and not form:
        _print("\n".join(row["ID"] for row in rows))
        return 0
    digest = ("Digest",) if values["digests"] else ()
    fields = ("Repository", "Tag", *digest, "ID", "CreatedSince", "Size")
    _print(lines(rows, IMAGE_TITLES, fields, form))
    return 0


def image_rows(image: Json, now: float, short: bool, digests: bool) -> list[dict[str, Any]]:
    """The rows of ``images`` for one of ImageList's objects."""
    id = str(image["Id"])
    common = {
        "ID": id.removeprefix("sha256:")[:SHORT_ID] if short else id,
        "CreatedSince": f"{human_duration(now - image['Created'])} ago",
        "CreatedAt": moment(image["Created"]),
        "Size": human_size(image["Size"], 3),
        "Containers": "N/A" if image.get("Containers", -1) < 0 else str(image["Containers"]),
    }
    of = dict(text.split("@", 1) for text in image.get("RepoDigests") or () if "@" in text)
    names = [name for name in image.get("RepoTags") or () if name != "<none>:<none>"]
    pairs = [name.rpartition(":")[::2] for name in names]
    if not pairs:
        pairs = [(repository, "<none>") for repository in of] or [("<none>", "<none>")]
    return [
        {
            "Repository": repository,
            "Tag": tag,
            "Digest": of.get(repository, "<none>") if digests else "<none>",
            **common,
        }
        for repository, tag in pairs
    ]


def top(session: Session, values: Values, arguments: list[str]) -> int:
    """The container's processes as ``ps`` of its machine shows them."""
    name, *options = arguments
    answer = session.daemon.ask(
        "GET", f"/containers/{name}/top", ps_args=" ".join(options) or None
    ).json()
    print(draw([answer["Titles"], *answer["Processes"]], minimum=20, padding=3))
    return 0


FILTER = many("filter", "Filter output based on conditions provided", "f")
FORM = string("format", "'table', 'table TEMPLATE', 'json', or a Go template for each row")
NO_TRUNC = switch("no-trunc", "Don't truncate output")

PS = Verb(
    "[OPTIONS]",
    "List containers",
    ps,
    (
        switch("all", "Show all containers (default shows just running)", "a"),
        FILTER,
        FORM,
        number("last", "Show n last created containers (includes all states)", "n"),
        switch("latest", "Show the latest created container (includes all states)", "l"),
        NO_TRUNC,
        switch("quiet", "Only display container IDs", "q"),
        switch("size", "Display total file sizes", "s"),
    ),
    0,
    0,
)
IMAGES = Verb(
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "List images",
    images,
    (
        switch("all", "Show all images (default hides intermediate images)", "a"),
        switch("digests", "Show digests"),
        FILTER,
        FORM,
        NO_TRUNC,
        switch("quiet", "Only show image IDs", "q"),
    ),
    0,
    1,
)
TOP = Verb(
    "CONTAINER [ps OPTIONS]",
    "Display the running processes of a container",
    top,
    least=1,
    flags_first=True,
)
