"""``system df``: what takes how much of the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.listing import container_row, image_rows
from minidocker.client.flags import string, switch
from minidocker.client.formatting import lines
from minidocker.client.session import Session
from minidocker.client.tables import draw
from minidocker.client.units import human_size

Json = Mapping[str, Any]

TITLES = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
FIELDS = tuple(TITLES)
RUNNING = ("running", "paused", "restarting")


def show(session: Session, values: Values, names: list[str]) -> int:
    """Four lines, or with ``-v`` every image, container and volume."""
    if values["verbose"] and values["format"]:
        raise Failed("the verbose and the format options conflict")
    usage = session.daemon.ask("GET", "/system/df").json()
    if values["verbose"]:
        print("\n".join(verbose(usage, time.time())))
    elif text := lines(summary(usage), TITLES, FIELDS, values["format"] or ""):
        print(text)
    return 0


def summary(usage: Json) -> list[dict[str, str]]:
    """A row for each kind of thing, from SystemDataUsage's answer."""
    return [
        _images(usage.get("Images") or (), usage.get("LayersSize") or 0),
        _containers(usage.get("Containers") or ()),
        _volumes(usage.get("Volumes") or ()),
        _cache(usage.get("BuildCache") or ()),
    ]


def _images(images: Sequence[Json], total: int) -> dict[str, str]:
    """What a used image has for itself alone would not come back."""
    used = [each for each in images if each["Containers"]]
    kept = sum(each["Size"] - each["SharedSize"] for each in used if each["SharedSize"] >= 0)
    return _row("Images", len(images), len(used), total, total - kept)


def _containers(containers: Sequence[Json]) -> dict[str, str]:
    running = [each for each in containers if each["State"] in RUNNING]
    total = sum(each.get("SizeRw") or 0 for each in containers)
    kept = sum(each.get("SizeRw") or 0 for each in running)
    return _row("Containers", len(containers), len(running), total, total - kept)


def _volumes(volumes: Sequence[Json]) -> dict[str, str]:
    used = [each for each in volumes if each["UsageData"]["RefCount"] > 0]
    total = sum(max(each["UsageData"]["Size"], 0) for each in volumes)
    kept = sum(max(each["UsageData"]["Size"], 0) for each in used)
    return _row("Local Volumes", len(volumes), len(used), total, total - kept)


def _cache(records: Sequence[Json]) -> dict[str, str]:
    used = [each for each in records if each.get("InUse")]
    total = sum(each["Size"] for each in records if not each.get("Shared"))
    kept = sum(each["Size"] for each in used if not each.get("Shared"))
    return _row("Build Cache", len(records), len(used), total, total - kept, share=False)


def _row(
    kind: str, count: int, active: int, size: int, free: int, share: bool = True
) -> dict[str, str]:
    percent = f" ({free * 100 // size}%)" if size > 0 and share else ""
    return {
        "Type": kind,
        "TotalCount": str(count),
        "Active": str(active),
        "Size": human_size(size),
        "Reclaimable": f"{human_size(free)}{percent}",
    }


def verbose(usage: Json, now: float) -> list[str]:
    """The tables of ``-v``."""
    return [
        "Images space usage:\n",
        draw([IMAGE_TITLES, *_image_table(usage.get("Images") or (), now)]),
        "\nContainers space usage:\n",
        draw([CONTAINER_TITLES, *_container_table(usage.get("Containers") or (), now)]),
        "\nLocal Volumes space usage:\n",
        draw([VOLUME_TITLES, *_volume_table(usage.get("Volumes") or ())]),
        f"\nBuild cache usage: {_cache(usage.get('BuildCache') or ())['Size']}\n",
        draw([CACHE_TITLES]),
    ]


IMAGE_TITLES = (
    *("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"),
    *("SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"),
)
CONTAINER_TITLES = (
    *("CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE"),
    *("CREATED", "STATUS", "NAMES"),
)
VOLUME_TITLES = ("VOLUME NAME", "LINKS", "SIZE")
CACHE_TITLES = ("CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED")


def _image_table(images: Sequence[Json], now: float) -> list[tuple[str, ...]]:
    rows = []
    for image in images:
        shown = image_rows(image, now, short=True, digests=False)[0]
        shared = image["SharedSize"]
        rows.append(
            (
                *(shown[key] for key in ("Repository", "Tag", "ID", "CreatedSince", "Size")),
                *(human_size(shared), human_size(image["Size"] - shared)),
                str(image["Containers"]),
            )
        )
    return rows


def _container_table(containers: Sequence[Json], now: float) -> list[tuple[str, ...]]:
    rows = []
    for container in containers:
        shown = container_row(container, now, short=True)
        rows.append(
            (
                *(shown[key] for key in ("ID", "Image", "Command", "LocalVolumes")),
                human_size(container.get("SizeRw") or 0, 3),
                *(shown[key] for key in ("RunningFor", "Status", "Names")),
            )
        )
    return rows


def _volume_table(volumes: Sequence[Json]) -> list[tuple[str, ...]]:
    return [
        (each["Name"], str(each["UsageData"]["RefCount"]), human_size(each["UsageData"]["Size"]))
        for each in volumes
    ]


DF = Verb(
    "[OPTIONS]",
    "Show disk usage",
    show,
    (
        string("format", "'table', 'table TEMPLATE', 'json', or a Go template for each row"),
        switch("verbose", "Show detailed information on space usage", "v"),
    ),
    0,
    0,
)
