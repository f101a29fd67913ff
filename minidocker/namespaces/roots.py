"""The root of a container that does not run, for as long as somebody looks into it.

(Or a volume that is a file system of its own.)  A process of its own mounts it, in a mount
namespace of its own, and passes it out as a descriptor.  When who asked closes the
connection, also by being killed, it ends, and the mounts with it: the host's mount table
has never known of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from minidocker.linux.messages import Channel
from minidocker.linux.plan import Step, StepFailed, perform
from minidocker.namespaces.mounts import MakePropagation
from minidocker.namespaces.process import Unshare
from minidocker.namespaces.rootfs import PROPAGATIONS, mount_step, overlay_step
from minidocker.namespaces.start import LaunchFailed


def root_steps(request: Mapping[str, Any]) -> list[Step]:
    """``request``: ``root`` (the mount point), ``rootfs`` (as of a container), ``mounts``.

    Without ``rootfs``, the first of ``mounts`` is the root.
    """
    root = request["root"]
    return [
        Unshare(("mount",)),
        MakePropagation("/", PROPAGATIONS["rslave"]),
        *([overlay_step(request["rootfs"], root)] if "rootfs" in request else []),
        *(mount_step(root, each) for each in request["mounts"]),
    ]


def hold_root(link: Channel, request: Mapping[str, Any]) -> None:
    """Mount it, send it over ``link`` as {"event": "root"} with a descriptor, or the
    failure of a start; return when the other end is closed."""
    try:
        perform(root_steps(request))
    except StepFailed as failed:
        link.send(LaunchFailed.of(failed).answer)
        return
    root = os.open(request["root"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    link.send({"event": "root"}, [root])
    link.receive()
