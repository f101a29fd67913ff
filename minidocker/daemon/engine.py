"""What the handlers work with: the services of one daemon, put together in ``main.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from minidocker.containers.container import Container
from minidocker.containers.events import EventBus
from minidocker.containers.networking import Networking
from minidocker.containers.service import Containers
from minidocker.daemon.network_shapes import Place, builtin_id
from minidocker.errors import NotFound
from minidocker.images.endpoints import RegistryConfig
from minidocker.images.store import ImageStore
from minidocker.layers.store import LayerStore


@dataclass(frozen=True)
class Facts:
    """What ``docker info`` says about the daemon itself.

    ``id``: of this data root, for ever.  ``cgroup_version``: "1" or "2".
    ``started_ns``: Unix time.
    """

    id: str
    data_root: Path
    exec_root: Path
    cgroup_version: str
    debug: bool = False
    started_ns: int = 0


@dataclass(frozen=True)
class Engine:
    containers: Containers
    images: ImageStore
    layers: LayerStore
    events: EventBus
    facts: Facts
    registry: RegistryConfig = field(default_factory=RegistryConfig)
    supports: frozenset[str] = frozenset()  # fields of ``Resources`` that this kernel can keep
    pruning: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by a prune of containers

    @property
    def networking(self) -> Networking:
        return self.containers.networking

    def place_of(self, container: Container) -> Place:
        """Its networks, and what it has there while it runs."""
        mode = container.spec.network_mode
        if mode in ("none", "host"):
            return Place(builtin_id(self.facts.id, mode))
        networking = self.networking
        ports = networking.endpoints.published(container.id)
        return Place("", networking.cables(container), ports)

    def layer_directories(self, diff_ids: Sequence[str]) -> list[str]:
        """Where an image's layers are, topmost first; none when one was removed by force."""
        try:
            return [str(path) for path in self.layers.lower_dirs(diff_ids)]
        except NotFound:
            return []
