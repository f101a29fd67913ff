"""Which containers ``docker ps --filter`` shows.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from minidocker.containers.container import Container
from minidocker.containers.state import STATES
from minidocker.daemon.filters import Filters, any_matches, labels_match, one_flag, select
from minidocker.errors import InvalidParameter

ALLOWED: Final = (
    *("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation"),
    *("label", "name", "network", "publish", "since", "status", "volume"),
)
_HEALTH: Final = ("none", "starting", "healthy", "unhealthy")
Lookup = Callable[[str], Container]


def check(filters: Filters) -> None:
    """Values that cannot be.  Raises ``InvalidParameter``."""
    for value in filters.get("status", ()):
        if value not in STATES:
            raise InvalidParameter(
                f"invalid value for state ({value}): must be one of {', '.join(STATES)}"
            )
    for value in filters.get("health", ()):
        if value not in _HEALTH:
            raise InvalidParameter(f"unrecognised filter value for health: {value}")
    for value in filters.get("exited", ()):
        if not value.lstrip("-").isdecimal():
            raise InvalidParameter(f"invalid filter 'exited={value}'")


def choose(
    containers: Sequence[Container],
    filters: Filters,
    *,
    everything: bool,
    limit: int,
    lookup: Lookup,
    image_ids: Callable[[str], frozenset[str]],
) -> list[Container]:
    """Those of ``containers`` (newest first) that are to be listed.

    ``everything``: stopped ones too; so do a ``limit`` above 0 and a filter by status.
    ``image_ids``: the images that an ``ancestor`` means.  Raises what ``lookup``
    raises for a ``before`` or ``since`` that is nobody, and as ``check``.
    """
    check(filters)
    before = [lookup(ref).created_ns for ref in filters.get("before", ())]
    since = [lookup(ref).created_ns for ref in filters.get("since", ())]
    ancestors = frozenset().union(*(image_ids(ref) for ref in filters.get("ancestor", ())))
    stopped_too = everything or limit > 0 or "status" in filters
    chosen = [
        each
        for each in containers
        if (stopped_too or each.state.running)
        and all(each.created_ns < moment for moment in before)
        and all(each.created_ns > moment for moment in since)
        and ("ancestor" not in filters or each.image_id in ancestors)
        and _matches(each, filters)
    ]
    return chosen[:limit] if limit > 0 else chosen


def _matches(container: Container, filters: Filters) -> bool:
    spec, state = container.spec, container.state
    health = state.health.status if state.health else "none"
    ended = not state.running and state.finished_at != 0
    places = {each.target for each in spec.mounts} | {each.source for each in spec.mounts}
    if one_flag(filters, "is-task", False):
        return False
    return select(
        filters,
        {
            "id": lambda wanted: any(container.id.startswith(each) for each in wanted),
            "name": lambda wanted: (
                any_matches(wanted, container.name) or any_matches(wanted, f"/{container.name}")
            ),
            "label": lambda wanted: labels_match(wanted, spec.labels),
            "status": lambda wanted: state.status in wanted,
            "health": lambda wanted: health in wanted,
            "exited": lambda wanted: ended and str(state.exit_code) in wanted,
            "network": lambda wanted: spec.network_mode in wanted,
            "volume": lambda wanted: bool(places & wanted),
            "expose": lambda wanted: bool(_ports(spec.exposed_ports) & _ports(wanted)),
            "publish": lambda wanted: False,  # nothing is published on none and host
            "isolation": lambda wanted: bool(wanted & {"", "default"}),
        },
    )


def _ports(names: Sequence[str] | frozenset[str]) -> set[str]:
    """``80`` and ``80/tcp`` are one."""
    return {name if "/" in name else f"{name}/tcp" for name in names}
