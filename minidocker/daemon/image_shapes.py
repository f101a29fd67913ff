"""An image as the API shows it: inspect, list, history.  Pure.

Engine API, ImageInspect, ImageSummary, ImageHistory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from minidocker.containers.spec import ContainerSpec
from minidocker.daemon.container_shapes import STORAGE_DRIVER
from minidocker.daemon.create_fields import CONFIG
from minidocker.daemon.fields import write_fields
from minidocker.daemon.times import NEVER, is_rfc3339
from minidocker.images.store import Image
from minidocker.oci.image_config import run_defaults_json

_VIRTUAL_SIZE_UNTIL: Final = (1, 43)  # the last API version with ``VirtualSize``
_CONTAINER_UNTIL: Final = (1, 44)  # and with ``Container`` and ``ContainerConfig``
_CONFIG_DEFAULTS: Final[Mapping[str, Any]] = {
    "User": "",
    "Env": None,
    "Cmd": None,
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


def inspect(
    image: Image, lower: Sequence[str], version: tuple[int, int], parent: str = ""
) -> dict[str, Any]:
    """``GET /images/{name}/json``.  ``lower``: its layers' directories, topmost first.

    ``parent``: the ID of the image that it was made from, if that is here.
    """
    config = image.config
    shown: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.names),
        "RepoDigests": list(image.repo_digests),
        "Parent": parent,
        "Comment": config.history[-1].comment if config.history else "",
        "Created": config.created if is_rfc3339(config.created) else NEVER,
        "DockerVersion": "",
        "Author": config.author,
        "Config": {**_CONFIG_DEFAULTS, **run_defaults_json(config.config)},
        "Architecture": config.architecture,
        **({"Variant": config.variant} if config.variant else {}),
        "Os": config.os,
        **({"OsVersion": config.os_version} if config.os_version else {}),
        "Size": image.size,
        "GraphDriver": {"Name": STORAGE_DRIVER, "Data": _directories(lower)},
        "RootFS": {"Type": "layers", "Layers": list(config.diff_ids)},
        "Metadata": {"LastTagTime": NEVER},
    }
    if version <= _VIRTUAL_SIZE_UNTIL:
        shown["VirtualSize"] = image.size
    if version <= _CONTAINER_UNTIL:
        shown["Container"] = config.container
        shown["ContainerConfig"] = {
            **write_fields(ContainerSpec(), CONFIG),
            "Volumes": None,
            **config.container_config,
        }
    return shown


def _directories(lower: Sequence[str]) -> dict[str, str]:
    if not lower:
        return {}
    below = {"LowerDir": ":".join(lower[1:])} if len(lower) > 1 else {}
    return {**below, "UpperDir": lower[0]}


def summary(
    image: Image,
    containers: int,
    version: tuple[int, int],
    shared_size: int = -1,
    parent: str = "",
) -> dict[str, Any]:
    """One of ``GET /images/json``.  -1 means "not counted"; ``parent`` as in ``inspect``."""
    nameless = ["<none>:<none>"], ["<none>@<none>"]
    old = version <= (1, 42)  # which showed dangling images so
    shown: dict[str, Any] = {
        "Id": image.id,
        "ParentId": parent,
        "RepoTags": list(image.names) or (nameless[0] if old else []),
        "RepoDigests": list(image.repo_digests) or (nameless[1] if old else []),
        "Created": created_seconds(image.config.created),
        "Size": image.size,
        "SharedSize": shared_size,
        "Labels": dict(image.config.config.labels),
        "Containers": containers,
    }
    if version <= _VIRTUAL_SIZE_UNTIL:
        shown["VirtualSize"] = image.size
    return shown


def history(image: Image, layer_sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The newest first.  ``layer_sizes``: bytes, the bottom layer first."""
    sizes = iter(layer_sizes)
    shown: list[dict[str, Any]] = [
        {
            "Id": "<missing>",
            "Created": created_seconds(entry.created),
            "CreatedBy": entry.created_by,
            "Tags": None,
            "Size": 0 if entry.empty_layer else next(sizes, 0),
            "Comment": entry.comment,
        }
        for entry in image.config.history
    ]
    if shown:
        shown[-1] |= {"Id": image.id, "Tags": list(image.names) or None}
    return shown[::-1]


def created_seconds(text: str) -> int:
    """RFC 3339 as Unix seconds; 0 for a time that is missing or malformed."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return 0


def created_ns(image: Image) -> int:
    """When it was made, in Unix nanoseconds (to the microsecond); 0 when nobody knows."""
    try:
        return round(datetime.fromisoformat(image.config.created).timestamp() * 10**6) * 1000
    except (ValueError, OverflowError):
        return 0
