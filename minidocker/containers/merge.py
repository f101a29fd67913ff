"""What the user said, completed from what the image says.

Docker's rules (moby daemon/commit.go, ``merge``): the user's word wins; lists
of names are united; and an entry point of the user's own drops the image's
command, which was meant for the image's entry point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from minidocker.containers.spec import ContainerSpec, HealthCheck
from minidocker.errors import InvalidParameter
from minidocker.oci.image_config import RunDefaults

DEFAULT_STOP_SIGNAL = "SIGTERM"
DEFAULT_STOP_TIMEOUT = 10  # seconds
DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def merge(spec: ContainerSpec, image: RunDefaults) -> ContainerSpec:
    """``spec`` completed by the image's ``config`` object: the effective spec.

    Raises ``InvalidParameter`` ("No command specified") when neither says what to run.
    """
    entrypoint, command = merge_command(spec, image)
    merged = replace(
        spec,
        entrypoint=entrypoint,
        command=command,
        args_escaped=spec.args_escaped or image.args_escaped,
        environment=merge_environment(spec.environment, image.env),
        user=spec.user or image.user,
        working_dir=spec.working_dir or image.working_dir,
        labels={**image.labels, **spec.labels},
        volumes=united(spec.volumes, image.volumes),
        exposed_ports=united(spec.exposed_ports, image.exposed_ports),
        stop_signal=spec.stop_signal or image.stop_signal,
        shell=spec.shell or tuple(image.shell or ()),
        health=merge_health(spec.health, image.healthcheck),
    )
    if not command_line(merged):
        raise InvalidParameter("No command specified")
    return merged


def merge_command(
    spec: ContainerSpec, image: RunDefaults
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """(entry point, command).  ``--entrypoint ""`` (one empty word) means none at all."""
    entrypoint, command = spec.entrypoint, spec.command
    if not entrypoint:
        if not command:
            command = _words(image.cmd)
        if entrypoint is None:
            entrypoint = _words(image.entrypoint) or None
    if entrypoint == ("",):
        entrypoint = None
    return entrypoint, command


def command_line(spec: ContainerSpec) -> tuple[str, ...]:
    """The whole command: entry point, then command."""
    return (*(spec.entrypoint or ()), *(spec.command or ()))


def merge_environment(own: Sequence[str], image: Sequence[str]) -> tuple[str, ...]:
    """The user's ``KEY=VALUE`` entries, then the image's for the keys that the user left."""
    taken = {entry.partition("=")[0] for entry in own}
    return (*own, *(entry for entry in image if entry.partition("=")[0] not in taken))


def effective_environment(
    environment: Sequence[str], hostname: str = "", tty: bool = False
) -> list[str]:
    """What the program gets: PATH, HOSTNAME, TERM, then ``environment``.

    An entry replaces an earlier one of its key in place; one without "=" takes the
    key away (``-e HOSTNAME`` with no such variable at the client).
    """
    defaults = [DEFAULT_PATH, f"HOSTNAME={hostname}"] + ["TERM=xterm"] * tty
    values: dict[str, str | None] = {}
    for entry in (*defaults, *environment):
        key, equals, _ = entry.partition("=")
        values[key] = entry if equals else None
    return [entry for entry in values.values() if entry is not None]


def merge_health(own: HealthCheck | None, image: Any) -> HealthCheck | None:
    """Field by field, 0 and empty meaning "not said"."""
    if image is None:
        return own
    names = ("test", "interval", "timeout", "start_period", "start_interval", "retries")
    own = own or HealthCheck()
    values = {name: getattr(own, name) or getattr(image, name) for name in names}
    return HealthCheck(**{**values, "test": tuple(values["test"])})


def united(own: Sequence[str], image: Sequence[str]) -> tuple[str, ...]:
    """Both lists' names, each once, the user's first."""
    return tuple(dict.fromkeys((*own, *image)))


def _words(words: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if words is None else tuple(words)
