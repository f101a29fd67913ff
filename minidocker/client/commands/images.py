"""``pull``, ``rmi`` and ``tag``."""

from __future__ import annotations

import sys

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.commands.life import each
from minidocker.client.connection import ApiError
from minidocker.client.flags import string, switch
from minidocker.client.pulling import pull, split_reference, with_tag
from minidocker.client.session import Session


def pull_image(session: Session, values: Values, names: list[str]) -> int:
    """The image's full name on standard output at the end, progress before it."""
    image = names[0]
    all_tags = values["all_tags"]
    if all_tags and split_reference(image)[1]:
        raise Failed("tag can't be used with --all-tags/-a")
    if not all_tags and not split_reference(image)[1] and not values["quiet"]:
        print("Using default tag: latest", flush=True)
    quiet = values["quiet"]
    pull(
        session,
        image,
        platform=values["platform"],
        quiet=quiet,
        all_tags=all_tags,
        out=sys.stdout,
    )
    print(full_name(image if all_tags else with_tag(image)))
    return 0


def full_name(image: str) -> str:
    """``alpine:latest`` -> ``docker.io/library/alpine:latest``."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash and rest else f"docker.io/library/{image}"


def remove(session: Session, values: Values, names: list[str]) -> int:
    """``Untagged:`` and ``Deleted:`` lines; with ``-f`` a missing image is no failure."""

    def do(name: str) -> str | None:
        try:
            reply = session.daemon.ask(
                "DELETE",
                f"/images/{name}",
                force=values["force"] or None,
                noprune=values["no_prune"] or None,
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
    name, tag = split_reference(target)
    if "@" in target:
        raise Failed("refusing to create a tag with a digest reference")
    session.daemon.ask("POST", f"/images/{source}/tag", repo=name, tag=tag or "latest").read()
    return 0


PULL = Verb(
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    "Download an image from a registry",
    pull_image,
    (
        switch("all-tags", "Download all tagged images in the repository", "a"),
        string("platform", "Set platform if server is multi-platform capable"),
        switch("quiet", "Suppress verbose output", "q"),
    ),
    1,
    1,
)
RMI = Verb(
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove one or more images",
    remove,
    (
        switch("force", "Force removal of the image", "f"),
        switch("no-prune", "Do not delete untagged parents"),
    ),
    1,
)
TAG = Verb(
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    tag,
    least=2,
    most=2,
)
