"""The life of a container as one table.

``TRANSITIONS`` says, for a state and an event, which state follows; what is
not in it is refused, in Docker's words (``REFUSALS``).  Nothing else in the
engine decides whether a container may be started, paused or removed, and the
diagram in the documentation is drawn from this same table.
"""

from __future__ import annotations

from typing import Final

from minidocker.errors import Conflict, MinidockerError, NotModified

# The states, as ``docker ps`` and inspect name them (Engine API: ContainerState.Status).
CREATED: Final = "created"
RUNNING: Final = "running"
PAUSED: Final = "paused"
RESTARTING: Final = "restarting"
REMOVING: Final = "removing"
EXITED: Final = "exited"
DEAD: Final = "dead"
STATES: Final = (CREATED, RUNNING, PAUSED, RESTARTING, REMOVING, EXITED, DEAD)

# What is asked of a container by its user ...
START: Final = "start"
STOP: Final = "stop"
KILL: Final = "kill"
PAUSE: Final = "pause"
UNPAUSE: Final = "unpause"
ATTACH: Final = "attach"
EXEC: Final = "exec"
RESIZE: Final = "resize"
TOP: Final = "top"
REMOVE: Final = "remove"
# ... and what happens to it.
DIE: Final = "die"  # its first process ended, and it stays so
BACK_OFF: Final = "back off"  # it ended, and its restart policy will start it again
RETRY: Final = "retry"  # the back-off is over
START_FAILED: Final = "start failed"
REMOVE_FAILED: Final = "remove failed"
EVENTS: Final = (
    *(START, STOP, KILL, PAUSE, UNPAUSE, ATTACH, EXEC, RESIZE, TOP, REMOVE),
    *(DIE, BACK_OFF, RETRY, START_FAILED, REMOVE_FAILED),
)

TRANSITIONS: Final[dict[tuple[str, str], str]] = {
    (CREATED, START): RUNNING,
    (EXITED, START): RUNNING,
    (RESTARTING, RETRY): RUNNING,
    (CREATED, START_FAILED): CREATED,
    (EXITED, START_FAILED): EXITED,
    (RESTARTING, START_FAILED): EXITED,
    (RUNNING, DIE): EXITED,
    (PAUSED, DIE): EXITED,
    (RUNNING, BACK_OFF): RESTARTING,
    (PAUSED, BACK_OFF): RESTARTING,
    # A signal changes nothing by itself: the state changes when the process ends (DIE).
    (RUNNING, STOP): RUNNING,
    (PAUSED, STOP): PAUSED,
    (RUNNING, KILL): RUNNING,
    (PAUSED, KILL): PAUSED,
    # Between two runs there is no process to signal: only the next start is called off.
    (RESTARTING, STOP): EXITED,
    (RESTARTING, KILL): EXITED,
    (RUNNING, PAUSE): PAUSED,
    (PAUSED, UNPAUSE): RUNNING,
    # A client may attach before the start, so as to miss nothing.
    (CREATED, ATTACH): CREATED,
    (EXITED, ATTACH): EXITED,
    (RUNNING, ATTACH): RUNNING,
    (RUNNING, EXEC): RUNNING,
    (RUNNING, RESIZE): RUNNING,
    (PAUSED, RESIZE): PAUSED,
    (RUNNING, TOP): RUNNING,
    (PAUSED, TOP): PAUSED,
    (CREATED, REMOVE): REMOVING,
    (EXITED, REMOVE): REMOVING,
    (DEAD, REMOVE): REMOVING,
    (REMOVING, REMOVE_FAILED): DEAD,
}

_NOT_RUNNING = "container {id} is not running"
_IS_PAUSED = "container {name} is paused, unpause the container before {event}"
_IS_RESTARTING = "Container {id} is restarting, wait until the container is running"
_MARKED = "container is marked for removal and cannot be {participle}"
_PARTICIPLES = {START: "started", ATTACH: "attached to", PAUSE: "paused", RESIZE: "resized"}

# Docker's words for the refusals users meet (moby daemon/errors.go, start.go, delete.go).
REFUSALS: Final[dict[tuple[str, str], str]] = {
    (RUNNING, START): "Container is already started",
    (RESTARTING, START): "Container is already started",
    (PAUSED, START): "cannot start a paused container, try unpause instead",
    (CREATED, STOP): "Container is already stopped",
    (EXITED, STOP): "Container is already stopped",
    (PAUSED, PAUSE): "Container {id} is already paused",
    (RUNNING, UNPAUSE): "Container {id} is not paused",
    (PAUSED, EXEC): "Container {name} is paused, unpause the container before exec",
    (PAUSED, ATTACH): _IS_PAUSED,
    (RESTARTING, ATTACH): "container {name} is restarting, wait until the container is running",
    (RESTARTING, UNPAUSE): "Container {id} is not paused",
    (CREATED, UNPAUSE): "Container {id} is not paused",
    (EXITED, UNPAUSE): "Container {id} is not paused",
    (RUNNING, REMOVE): 'cannot remove container "/{name}": container is running: '
    "stop the container before removing or force remove",
    (RESTARTING, REMOVE): 'cannot remove container "/{name}": container is restarting: '
    "stop the container before removing or force remove",
    (PAUSED, REMOVE): 'cannot remove container "/{name}": container is paused '
    "and must be unpaused first",
    (REMOVING, REMOVE): "removal of container {name} is already in progress",
}

# "It is so already" is no conflict: status 304 (Engine API, ContainerStart and ContainerStop).
_ALREADY_SO = {(RUNNING, START), (RESTARTING, START), (CREATED, STOP), (EXITED, STOP)}


def advance(state: str, event: str, *, id: str = "", name: str = "") -> str:
    """The state after ``event`` in ``state``.

    ``id`` and ``name`` (without slash) of the container are for the message.
    Raises ``NotModified`` when there is nothing to do, ``Conflict`` when the
    state forbids it.
    """
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise refusal(state, event, id=id, name=name)
    return after


def may(state: str, event: str) -> bool:
    """Whether the table allows ``event`` in ``state``."""
    return (state, event) in TRANSITIONS


def refusal(state: str, event: str, *, id: str = "", name: str = "") -> MinidockerError:
    """The error that says why ``event`` is refused in ``state``, in Docker's words."""
    template = REFUSALS.get((state, event))
    if template is None and state == RESTARTING:
        template = _IS_RESTARTING
    elif template is None and state in (REMOVING, DEAD) and event in _PARTICIPLES:
        template = _MARKED
    text = (template or _NOT_RUNNING).format(
        id=id, name=name, event=event, participle=_PARTICIPLES.get(event, "")
    )
    kind = NotModified if (state, event) in _ALREADY_SO else Conflict
    return kind(text)
