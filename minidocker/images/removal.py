"""What ``rmi`` takes away: Docker's rules, as one pure decision.

An image has references (``alpine:latest``, ``alpine@sha256:...``) and may have
containers.  Who names a reference loses that reference, and the image with
the last one; who names an ID loses the image, unless that would surprise
somebody.  Force overrules all but a running container.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minidocker.errors import Conflict
from minidocker.oci.reference import Reference


@dataclass(frozen=True)
class Removal:
    """The decision: the references that go, in order, and whether the image goes too."""

    untag: tuple[Reference, ...]
    delete: bool


@dataclass(frozen=True)
class Users:
    """The IDs of the containers that were made from the image."""

    running: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    def first(self) -> str | None:
        return next(iter((*self.running, *self.stopped)), None)


def remove_by_name(
    asked: str,
    reference: Reference,
    image_id: str,
    references: Sequence[Reference],
    users: Users,
    force: bool,
) -> Removal:
    """The user named a reference of the image (``asked`` is how).

    Raises ``Conflict`` when the image would lose its last reference while a
    container uses it, and force was not given.  With force it loses the
    reference, but a running container keeps the image itself (now "<none>").
    """
    user = users.first()
    if user is not None and not force and _one_name(references):
        raise Conflict(
            f'conflict: unable to remove repository reference "{asked}" (must force) - '
            f"container {_short(user)} is using its referenced image {_short(image_id)}"
        )
    untag = [reference]
    remaining = [each for each in references if each != reference]
    tags_left = any(each.digest is None and each.name == reference.name for each in remaining)
    if reference.digest is None and not tags_left:
        # Digest references came along with the tag's pull, and go with its last tag.
        untag += [each for each in remaining if each.name == reference.name]
        remaining = [each for each in remaining if each.name != reference.name]
    in_use = bool(users.running or (users.stopped and not force))
    return Removal(tuple(untag), delete=not remaining and not in_use)


def remove_by_id(
    image_id: str, references: Sequence[Reference], users: Users, force: bool
) -> Removal:
    """The user named the image by its ID: all its references go, and it.

    Raises ``Conflict`` when a container runs from it (force is no help), and
    without force when one is stopped or several repositories know the image.
    """
    if users.running:
        raise _conflict(
            image_id,
            "cannot be forced",
            f"image is being used by running container {_short(users.running[0])}",
        )
    if not force:
        if not _one_name(references):
            why = "image is referenced in multiple repositories"
            raise _conflict(image_id, "must be forced", why)
        if users.stopped:
            why = f"image is being used by stopped container {_short(users.stopped[0])}"
            raise _conflict(image_id, "must be forced", why)
    return Removal(tuple(references), delete=True)


def _one_name(references: Sequence[Reference]) -> bool:
    """Whether the image is known under one tag of one repository (or less)."""
    if len(references) <= 1:
        return True
    tags = [each for each in references if each.digest is None]
    repositories = {each.name for each in references}
    return len(tags) <= 1 and len(repositories) == 1


def _conflict(image_id: str, force: str, why: str) -> Conflict:
    return Conflict(f"conflict: unable to delete {_short(image_id)} ({force}) - {why}")


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]
