"""``system df``: what takes how much of the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.commandline import Values, Verb
from minidocker.client.commands.containers import SHORT_ID, container_row
from minidocker.client.commands.containers import TITLES as CONTAINER_TITLES
from minidocker.client.commands.images import TITLES as IMAGE_TITLES
from minidocker.client.commands.images import image_rows
from minidocker.client.flags import FORMAT, switch
from minidocker.client.format.rows import Columns, lines, show
from minidocker.client.session import Session
from minidocker.client.units import human_duration, human_size, parse_time

Json = Mapping[str, Any]

TITLES = {
    "Type": "TYPE",
    "TotalCount": "TOTAL",
    "Active": "ACTIVE",
    "Size": "SIZE",
    "Reclaimable": "RECLAIMABLE",
}
COLUMNS = Columns("formatter.diskUsageImagesContext", TITLES, tuple(TITLES))
RUNNING = ("running", "paused", "restarting")


def df(session: Session, values: Values, names: list[str]) -> int:
    """Four lines, or with ``-v`` every image, container, volume and piece of build cache."""
    usage = session.daemon.ask("GET", "/system/df").json()
    form = values["format"] or "table"
    if not values["verbose"]:
        show(COLUMNS, summary(usage), form)
    elif form == "table":
        print("\n".join(tables(usage, time.time())))
    else:
        print(in_words(usage, time.time(), form), end="")
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


# Of -v: what a row of each kind has, and which of it stands in the table.
IMAGE = Columns(
    "formatter.imageContext",
    IMAGE_TITLES,
    (
        *("Repository", "Tag", "ID", "CreatedSince", "Size"),
        *("SharedSize", "UniqueSize", "Containers"),
    ),
)
CONTAINER = Columns(
    "formatter.ContainerContext",
    CONTAINER_TITLES,
    ("ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"),
)
VOLUME = Columns(
    "formatter.volumeContext",
    {"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"},
    ("Name", "Links", "Size"),
)
CACHE_TITLES = {
    "ID": "CACHE ID",
    "CacheType": "CACHE TYPE",
    "Size": "SIZE",
    "CreatedSince": "CREATED",
    "LastUsedSince": "LAST USED",
    "UsageCount": "USAGE",
    "Shared": "SHARED",
}
CACHE = Columns("formatter.buildCacheContext", CACHE_TITLES, tuple(CACHE_TITLES))


def tables(usage: Json, now: float) -> list[str]:
    """A table for each kind of thing."""
    rows = details(usage, now, short=True)
    return [
        "Images space usage:\n",
        lines(IMAGE, rows["Images"], None),
        "\nContainers space usage:\n",
        lines(CONTAINER, rows["Containers"], None),
        "\nLocal Volumes space usage:\n",
        lines(VOLUME, rows["Volumes"], None),
        f"\nBuild cache usage: {_cache(usage.get('BuildCache') or ())['Size']}\n",
        lines(CACHE, rows["BuildCache"], None),
    ]


def in_words(usage: Json, now: float, form: str) -> str:
    """All of it as one object: "json", or a template that is given the lists."""
    from minidocker.client.format.objects import one_row
    from minidocker.client.format.values import Row

    rows = details(usage, now, short=form.startswith("table"))
    kinds = {"Images": IMAGE, "Containers": CONTAINER, "Volumes": VOLUME, "BuildCache": CACHE}
    lists = {name: [Row(kind.kind, row) for row in rows[name]] for name, kind in kinds.items()}
    return one_row("formatter.diskUsageContext", lists, form)


def details(usage: Json, now: float, short: bool) -> dict[str, list[dict[str, Any]]]:
    """The rows of every kind, from SystemDataUsage's answer."""
    return {
        "Images": [
            image_rows(each, now, short, digests=False)[0] | {"Digest": ""}
            for each in usage.get("Images") or ()
        ],
        "Containers": [
            container_row(each, now, short) | {"Size": human_size(each.get("SizeRw") or 0, 3)}
            for each in usage.get("Containers") or ()
        ],
        "Volumes": [volume_row(each) for each in usage.get("Volumes") or ()],
        "BuildCache": [cache_row(each, now) for each in usage.get("BuildCache") or ()],
    }


def volume_row(volume: Json) -> dict[str, Any]:
    """A volume as ``system df -v --format`` has it (Engine API, Volume)."""
    labels = volume.get("Labels") or {}
    return {
        "Name": volume["Name"],
        "Driver": volume["Driver"],
        "Scope": volume["Scope"],
        "Mountpoint": volume["Mountpoint"],
        "Labels": ",".join(f"{key}={labels[key]}" for key in sorted(labels)),
        "Links": str(volume["UsageData"]["RefCount"]),
        "Size": human_size(volume["UsageData"]["Size"]),
    }


def cache_row(record: Json, now: float) -> dict[str, Any]:
    """``CreatedAt`` and ``LastUsedAt`` are RFC 3339; the second may be null."""
    made, used = (
        f"{human_duration(now - parse_time(record[key]) / 1e9)} ago" if record.get(key) else ""
        for key in ("CreatedAt", "LastUsedAt")
    )
    return {
        "ID": str(record["ID"])[:SHORT_ID],
        "CacheType": record["Type"],
        "Size": human_size(record["Size"], 3),
        "CreatedSince": made,
        "LastUsedSince": used,
        "UsageCount": str(record["UsageCount"]),
        "Shared": "true" if record["Shared"] else "false",
        "Description": record["Description"],
        "InUse": "true" if record["InUse"] else "false",
    }


DF = Verb(
    "[OPTIONS]",
    df,
    (FORMAT, switch("verbose", "Show detailed information on space usage", "v")),
    0,
    0,
)
