"""Which containers ``docker ps --filter`` shows.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from minidocker.containers.container import Container
from minidocker.containers.state import STATES
from minidocker.daemon.filters import Filters, any_matches, labels_match, one_flag, select
from minidocker.daemon.network_shapes import Place, endpoints, port_rows
from minidocker.errors import InvalidParameter

ALLOWED: Final = (
    *("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation"),
    *("label", "name", "network", "publish", "since", "status", "volume"),
)
_HEALTH: Final = ("none", "starting", "healthy", "unhealthy")
_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
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
    for key in ("expose", "publish"):
        ports_of(key, filters.get(key, ()))


def choose(
    containers: Sequence[Container],
    filters: Filters,
    *,
    everything: bool,
    limit: int,
    lookup: Lookup,
    image_ids: Callable[[str], frozenset[str]],
    place_of: Callable[[Container], Place],
) -> list[Container]:
    """Those of ``containers`` (newest first) that are to be listed.

    ``everything``: stopped ones too; so do a ``limit`` above 0 and a filter by status.
    ``image_ids``: the images that an ``ancestor`` means.  ``place_of``: where a container
    is in networks.  Raises what ``lookup``
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
        and _matches(each, filters, place_of)
    ]
    return chosen[:limit] if limit > 0 else chosen


def _matches(
    container: Container, filters: Filters, place_of: Callable[[Container], Place]
) -> bool:
    spec, state = container.spec, container.state
    health = state.health.status if state.health else "none"
    ended = not state.running and state.finished_at != 0
    places = {each.target for each in spec.mounts} | {each.source for each in spec.mounts}
    if one_flag(filters, "is-task", False):
        return False
    return select(
        filters,
        {
            "id": lambda wanted: any(each and container.id.startswith(each) for each in wanted),
            "name": lambda wanted: (
                any_matches(wanted, container.name) or any_matches(wanted, f"/{container.name}")
            ),
            "label": lambda wanted: labels_match(wanted, spec.labels),
            "status": lambda wanted: state.status in wanted,
            "health": lambda wanted: health in wanted,
            "exited": lambda wanted: ended and str(state.exit_code) in wanted,
            "network": lambda wanted: bool(_networks(container, place_of) & wanted),
            "volume": lambda wanted: bool(places & wanted),
            "expose": lambda wanted: bool(
                _ports(container, place_of, "PrivatePort") & ports_of("expose", wanted)
            ),
            "publish": lambda wanted: bool(
                _ports(container, place_of, "PublicPort") & ports_of("publish", wanted)
            ),
            "isolation": lambda wanted: bool(wanted & {"", "default"}),
        },
    )


def _networks(container: Container, place_of: Callable[[Container], Place]) -> set[str]:
    """The names and the IDs of its networks."""
    found = endpoints(container, place_of(container))
    return {*found, *(each["NetworkID"] for each in found.values())}


def _ports(
    container: Container, place_of: Callable[[Container], Place], end: str
) -> set[tuple[int, str]]:
    """(port, protocol) of what it has while it runs; ``end``: of the list's ``Ports``."""
    rows = port_rows(container, place_of(container))
    return {(row[end], row["Type"]) for row in rows if end in row}


def ports_of(key: str, values: Iterable[str]) -> set[tuple[int, str]]:
    """(port, protocol) of ``80``, ``80/tcp`` and ``8000-8010/udp``.

    Raises ``InvalidParameter`` (moby daemon/list.go, ``portOp``).
    """
    found = set()
    for value in values:
        if ":" in value:
            raise InvalidParameter(f"filter for '{key}' should not contain ':': {value}")
        ports, _, protocol = value.partition("/")
        match = _RANGE.fullmatch(ports)
        if match is None:
            raise InvalidParameter(f"error while looking up for {key} {value}: no port or range")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise InvalidParameter(
                f"error while looking up for {key} {value}: Invalid range specified for the "
                f"Port: {ports}"
            )
        found |= {(port, protocol.lower() or "tcp") for port in range(first, last + 1)}
    return found
