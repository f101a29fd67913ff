"""``prune``: of containers, of images, of all; it asks first, and says what went."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.connection import ApiError
from minidocker.client.flags import Flag, filters, many, parse_filter, switch
from minidocker.client.session import Session
from minidocker.client.units import human_size

Filters = Sequence[tuple[str, str]]


class Kind(NamedTuple):
    """One kind of thing.  ``what``: of it goes; ``deleted``: where the answer lists it."""

    path: str
    what: str
    title: str
    deleted: str


CONTAINERS = Kind(
    "/containers/prune", "all stopped containers", "Deleted Containers:", "ContainersDeleted"
)
NETWORKS = Kind(
    "/networks/prune",
    "all networks not used by at least one container",
    "Deleted Networks:",
    "NetworksDeleted",
)
VOLUMES = Kind(
    "/volumes/prune",
    "all anonymous volumes not used by at least one container",
    "Deleted Volumes:",
    "VolumesDeleted",
)
IMAGES = Kind("/images/prune", "all dangling images", "Deleted Images:", "ImagesDeleted")
UNUSED_IMAGES = IMAGES._replace(what="all images without at least one container associated to them")
CACHE = Kind("/build/prune", "unused build cache", "Deleted build cache objects:", "CachesDeleted")


def prune_containers(session: Session, values: Values, names: list[str]) -> int:
    """All that stand still."""
    confirm(f"This will remove {CONTAINERS.what}.", values["force"])
    return total(prune(session, CONTAINERS, values["filter"]))


def prune_images(session: Session, values: Values, names: list[str]) -> int:
    """Dangling images, or with ``-a`` all that no container uses."""
    kind = UNUSED_IMAGES if values["all"] else IMAGES
    confirm(f"This will remove {kind.what}.", values["force"])
    return total(prune(session, kind, values["filter"]))


def prune_all(session: Session, values: Values, names: list[str]) -> int:
    """Everything that nobody uses; what the engine does not prune is named and left out."""
    chosen: Filters = values["filter"]
    if values["volumes"] and any(name == "until" for name, _ in chosen):
        raise Failed('ERROR: The "until" filter is not supported with "--volumes"')
    kinds = [CONTAINERS, NETWORKS, *([VOLUMES] if values["volumes"] else [])]
    kinds += [UNUSED_IMAGES if values["all"] else IMAGES]
    kinds += [CACHE._replace(what="all build cache") if values["all"] else CACHE]
    warning = "\n".join(["This will remove:", *(f"  - {kind.what}" for kind in kinds), ""])
    if chosen:
        shown = (f"  - {name}={value}" for name, value in chosen)
        warning += "\n".join(["", "  Items to be pruned will be filtered with:", *shown, ""])
    confirm(warning, values["force"])
    room = 0
    for kind in kinds:
        try:
            room += prune(session, kind, chosen)
        except ApiError as error:
            if "not supported" not in error.reason:
                raise
            print(f"left out: {kind.what}: {error.reason}", file=sys.stderr)
    return total(room)


def confirm(warning: str, sure: bool) -> None:
    """Returns when the user wants it; else the program ends, which is no failure."""
    if sure:
        return
    print(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() != "y":
        raise Failed("", 0)


def prune(session: Session, kind: Kind, chosen: Filters) -> int:
    """Prune what is of one kind, and say what went; the bytes that it took."""
    if kind.path == IMAGES.path:
        dangling = "true" if kind == IMAGES else "false"
        chosen = [*chosen, ("dangling", dangling)]
    everything = True if kind.what == "all build cache" else None
    report = session.daemon.ask("POST", kind.path, filters=filters(chosen), all=everything).json()
    if lines := told(kind, report):
        print("\n".join(lines))
    return int(report.get("SpaceReclaimed") or 0)


def told(kind: Kind, report: Mapping[str, Any]) -> list[str]:
    """What went, under a title; nothing when nothing did."""
    gone = report.get(kind.deleted)
    return [kind.title, *map(line, gone), ""] if gone else []


def line(gone: str | Mapping[str, Any]) -> str:
    """A name, or what became of an image."""
    if isinstance(gone, str):
        return gone
    return f"{'untagged' if 'Untagged' in gone else 'deleted'}: {next(iter(gone.values()))}"


def total(room: int) -> int:
    print("Total reclaimed space:", human_size(room))
    return 0


def chosen_by(example: str) -> Flag:
    help = f'Provide filter values (e.g. "{example}")'
    return many("filter", help, read=parse_filter, kind="filter")


FORCE = switch("force", "Do not prompt for confirmation", "f")
CONTAINER_PRUNE = Verb("[OPTIONS]", prune_containers, (chosen_by("until=<timestamp>"), FORCE), 0, 0)
IMAGE_PRUNE = Verb(
    "[OPTIONS]",
    prune_images,
    (
        switch("all", "Remove all unused images, not just dangling ones", "a"),
        chosen_by("until=<timestamp>"),
        FORCE,
    ),
    0,
    0,
)
SYSTEM_PRUNE = Verb(
    "[OPTIONS]",
    prune_all,
    (
        switch("all", "Remove all unused images not just dangling ones", "a"),
        chosen_by("label=<key>=<value>"),
        FORCE,
        switch("volumes", "Prune anonymous volumes"),
    ),
    0,
    0,
)
