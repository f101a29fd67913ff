"""A container as the engine remembers it: one frozen value.

A change is a new value (``dataclasses.replace``) that ``store.ContainerStore``
writes in one transaction; whoever holds an old value holds a true picture of
the past, never half of a change.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from minidocker.containers import state as life
from minidocker.containers.spec import ContainerSpec

SHORT_ID = 12


@dataclass(frozen=True)
class HealthResult:
    """One run of the health check; times are Unix nanoseconds."""

    start: int
    end: int
    exit_code: int
    output: str


@dataclass(frozen=True)
class Health:
    status: str = "starting"  # starting | healthy | unhealthy
    failing_streak: int = 0
    log: tuple[HealthResult, ...] = ()  # the last five, oldest first


@dataclass(frozen=True)
class State:
    """Where a container is in its life (``state.TRANSITIONS``), and how it got there."""

    status: str = life.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int = 0  # Unix nanoseconds; 0: never
    finished_at: int = 0
    health: Health | None = None
    stopped_by_user: bool = False  # "unless-stopped" stays stopped then

    @property
    def running(self) -> bool:
        """As Docker counts: a paused one runs, and so does one about to be restarted."""
        return self.status in (life.RUNNING, life.PAUSED, life.RESTARTING)

    @property
    def paused(self) -> bool:
        return self.status == life.PAUSED

    @property
    def restarting(self) -> bool:
        return self.status == life.RESTARTING

    @property
    def dead(self) -> bool:
        return self.status == life.DEAD

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> State:
        """The inverse of ``dataclasses.asdict``, also after a trip through JSON."""
        health = record["health"]
        if health is not None:
            log = tuple(HealthResult(**each) for each in health["log"])
            health = Health(health["status"], health["failing_streak"], log)
        return cls(**{**record, "health": health})


@dataclass(frozen=True)
class Container:
    """``spec`` is the effective one: the user's, completed from the image (``merge``).

    ``args`` is the whole command, entry point first; ``path`` its first word.
    ``diff_ids`` are the image's layers, kept here so that a start needs no
    look at the image.
    """

    id: str  # 64 hex digits
    name: str  # without Docker's leading slash
    spec: ContainerSpec
    image_id: str  # "sha256:..."
    diff_ids: tuple[str, ...] = ()
    platform: str = "linux"
    created_ns: int = 0
    args: tuple[str, ...] = ()
    restart_count: int = 0
    state: State = field(default_factory=State)

    @property
    def short_id(self) -> str:
        return self.id[:SHORT_ID]

    @property
    def path(self) -> str:
        """The program, as inspect's ``Path``."""
        return self.args[0] if self.args else ""

    @property
    def attributes(self) -> dict[str, str]:
        """What every event about this container carries."""
        return {**self.spec.labels, "image": self.spec.image, "name": self.name}

    def moved(self, event: str, **changes: Any) -> Container:
        """This container after ``event``, its ``State`` otherwise changed by ``changes``.

        Raises ``Conflict`` or ``NotModified`` where the table refuses it.
        """
        status = life.advance(self.state.status, event, id=self.id, name=self.name)
        return dataclasses.replace(
            self, state=dataclasses.replace(self.state, status=status, **changes)
        )
