"""The images that there are: ``images``, ``rmi`` and ``tag``."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.containers import SHORT_ID, moment
from minidocker.client.commands.life import each
from minidocker.client.connection import ApiError
from minidocker.client.flags import FILTER, FORMAT, NO_TRUNC, filters, many, refused, switch
from minidocker.client.format.rows import Columns, show
from minidocker.client.references import parse_platform, split_reference
from minidocker.client.session import Session
from minidocker.client.units import human_duration, human_size

Json = Mapping[str, Any]

TITLES = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}


def images(session: Session, values: Values, names: list[str]) -> int:
    """A row for each name of each image, newest image first."""
    wanted = [*values["filter"], *(("reference", name) for name in names)]
    found = session.daemon.ask(
        "GET",
        "/images/json",
        all=values["all"] or None,
        digests=values["digests"] or None,
        filters=filters(wanted),
    ).json()
    found.sort(key=lambda image: -image["Created"])
    form = values["format"] or ""
    short = not values["no_trunc"]
    now, digests = time.time(), values["digests"] or ".Digest" in form
    rows = [row for image in found for row in image_rows(image, now, short, digests)]
    if values["quiet"] and form in ("", "table"):
        form = "{{.ID}}"
    digest = ("Digest",) if values["digests"] else ()
    plain = ("Repository", "Tag", *digest, "ID", "CreatedSince", "Size")
    show(Columns("formatter.imageContext", TITLES, plain), rows, form)
    return 0


def image_rows(image: Json, now: float, short: bool, digests: bool) -> list[dict[str, Any]]:
    """The rows of ``images`` for one of ImageList's objects."""
    id, shared = str(image["Id"]), image.get("SharedSize", -1)
    common = {
        "ID": id.removeprefix("sha256:")[:SHORT_ID] if short else id,
        "CreatedSince": f"{human_duration(now - image['Created'])} ago",
        "CreatedAt": moment(image["Created"]),
        "Size": human_size(image["Size"], 3),
        "Containers": "N/A" if image.get("Containers", -1) < 0 else str(image["Containers"]),
        "VirtualSize": human_size(image["Size"]),
        "SharedSize": "N/A" if shared < 0 else human_size(shared),
        "UniqueSize": "N/A" if shared < 0 else human_size(image["Size"] - shared),
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


def remove(session: Session, values: Values, names: list[str]) -> int:
    """``Untagged:`` and ``Deleted:`` lines; with ``-f`` a missing image is no failure."""

    def do(name: str) -> str | None:
        try:
            reply = session.daemon.ask(
                "DELETE",
                f"/images/{name}",
                force=values["force"] or None,
                noprune=values["no_prune"] or None,
                platforms=[parse_platform(each) for each in values["platform"]],
            )
        except ApiError as error:
            if error.status == 404 and values["force"]:
                print(error, file=sys.stderr)
                return None
            raise
        lines = []
        for step in reply.json():
            lines += [f"{what}: {which}" for what, which in step.items()]
        return "\n".join(lines) if lines else None

    return each(names, do)


def tag(session: Session, values: Values, names: list[str]) -> int:
    source, target = names
    if not source:
        raise Failed("invalid reference format: no image was named")
    name, tag = split_reference(target)
    if "@" in target:
        raise Failed("refusing to create a tag with a digest reference")
    session.daemon.ask("POST", f"/images/{source}/tag", repo=name, tag=tag or "latest").read()
    return 0


IMAGES = Verb(
    "[OPTIONS] [REPOSITORY[:TAG]]",
    images,
    (
        switch("all", "Show all images (default hides intermediate images)", "a"),
        switch("digests", "Show digests"),
        FILTER,
        FORMAT,
        NO_TRUNC,
        switch("quiet", "Only show image IDs", "q"),
        refused(
            "tree", "bool", "List images as a tree", "this engine keeps images of one platform"
        ),
    ),
    0,
    1,
)
RMI = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    remove,
    (
        switch("force", "Force removal of the image", "f"),
        switch("no-prune", "Do not delete untagged parents"),
        many("platform", "Remove only the given platform variant", kind="strings"),
    ),
    1,
)
TAG = Verb("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", tag, least=2, most=2)
