"""The image config: what is inside an image's layers, and how to run it.

Its bytes are the image: their digest is the image ID.  So what was read is
written back byte for byte, and a field that this program does not know stays.

https://github.com/opencontainers/image-spec/blob/main/config.md
https://github.com/moby/docker-image-spec (Healthcheck, OnBuild, Shell)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minidocker.errors import InvalidParameter
from minidocker.oci import fields
from minidocker.oci.digest import parse_digest
from minidocker.oci.platform import Platform, normalize

Words = tuple[str, ...]


@dataclass(frozen=True)
class ImageHealthcheck:
    """Times in nanoseconds; 0 means Docker's default."""

    test: Words = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


HEALTH_NUMBERS = {
    "Interval": "interval",
    "Timeout": "timeout",
    "StartPeriod": "start_period",
    "StartInterval": "start_interval",
    "Retries": "retries",
}


@dataclass(frozen=True)
class RunDefaults:
    """How a container of the image runs, where its user says nothing else.

    ``env``: "KEY=VALUE".  ``exposed_ports``: "80/tcp".  ``volumes``: paths.
    None for ``entrypoint``, ``cmd``, ``shell``: not said, where () is said to be empty.
    """

    user: str = ""
    exposed_ports: Words = ()
    env: Words = ()
    entrypoint: Words | None = None
    cmd: Words | None = None
    volumes: Words = ()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    stop_signal: str = ""
    healthcheck: ImageHealthcheck | None = None
    shell: Words | None = None
    on_build: Words = ()
    args_escaped: bool = False


@dataclass(frozen=True)
class History:
    """What made a layer, or (``empty_layer``) changed only the config."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


@dataclass(frozen=True)
class ImageConfig:
    """An image's config.  ``diff_ids``: the bottom layer first.  ``created``: RFC 3339 or "".

    ``parent``, ``container``, ``container_config``: of an image that was made of a container,
    the IDs of that container and of its image, and the container's Config in Docker's form.
    ``raw`` is the text that it was read from, if it was.
    """

    architecture: str
    os: str
    diff_ids: Words = ()
    config: RunDefaults = RunDefaults()
    history: tuple[History, ...] = ()
    created: str = ""
    author: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: Words = ()
    parent: str = ""
    container: str = ""
    container_config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    raw: bytes = field(default=b"", repr=False, compare=False)

    @property
    def platform(self) -> Platform:
        return normalize(
            Platform(self.os, self.architecture, self.variant, self.os_version, self.os_features)
        )

    @staticmethod
    def from_bytes(data: bytes) -> ImageConfig:
        """Raises ``InvalidParameter`` naming the field that is missing or wrong."""
        source = fields.load_object(data, "image config")
        rootfs = fields.child(source, "rootfs")
        if rootfs.get("type") != "layers":
            raise InvalidParameter(
                f'invalid image config: "rootfs" has type "{rootfs.get("type")}", not "layers"'
            )
        return ImageConfig(
            # Docker takes configs of old tools that leave these two out.
            architecture=fields.text(source, "architecture"),
            os=fields.text(source, "os", "linux"),
            diff_ids=tuple(map(parse_digest, fields.texts(rootfs, "diff_ids"))),
            config=run_defaults(fields.child(source, "config")),
            history=tuple(map(_history, fields.children(source, "history"))),
            created=fields.text(source, "created"),
            author=fields.text(source, "author"),
            variant=fields.text(source, "variant"),
            os_version=fields.text(source, "os.version"),
            os_features=fields.texts(source, "os.features"),
            parent=fields.text(source, "parent"),
            container=fields.text(source, "container"),
            container_config=fields.child(source, "container_config"),
            raw=data,
        )

    def to_bytes(self) -> bytes:
        """The very bytes it was read from, while it says the same; else new ones, with
        the unknown fields of the old."""
        before: dict[str, Any] = {}
        if self.raw:
            if ImageConfig.from_bytes(self.raw) == self:
                return self.raw
            before = json.loads(self.raw)
        return json.dumps(_config_json(self, before), separators=(",", ":")).encode()


def run_defaults(source: fields.Object) -> RunDefaults:
    """The ``config`` object of an image, as JSON, in our names."""
    return RunDefaults(
        user=fields.text(source, "User"),
        exposed_ports=tuple(fields.child(source, "ExposedPorts")),
        env=fields.texts(source, "Env"),
        entrypoint=fields.maybe_texts(source, "Entrypoint"),
        cmd=fields.maybe_texts(source, "Cmd"),
        volumes=tuple(fields.child(source, "Volumes")),
        working_dir=fields.text(source, "WorkingDir"),
        labels=fields.pairs(source, "Labels"),
        stop_signal=fields.text(source, "StopSignal"),
        healthcheck=_healthcheck(source),
        shell=fields.maybe_texts(source, "Shell"),
        on_build=fields.texts(source, "OnBuild"),
        args_escaped=fields.flag(source, "ArgsEscaped"),
    )


def _healthcheck(source: fields.Object) -> ImageHealthcheck | None:
    if source.get("Healthcheck") is None:
        return None
    said = fields.child(source, "Healthcheck")
    numbers = {name: fields.number(said, key) for key, name in HEALTH_NUMBERS.items()}
    return ImageHealthcheck(fields.texts(said, "Test"), **numbers)


def _history(source: fields.Object) -> History:
    return History(
        fields.text(source, "created"),
        fields.text(source, "created_by"),
        fields.text(source, "author"),
        fields.text(source, "comment"),
        fields.flag(source, "empty_layer"),
    )


def run_defaults_json(config: RunDefaults) -> dict[str, Any]:
    """The ``config`` object in the spec's names, without what says nothing."""
    health = config.healthcheck
    value = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": list(config.env),
        "Volumes": {path: {} for path in config.volumes},
        "WorkingDir": config.working_dir,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "OnBuild": list(config.on_build),
        "ArgsEscaped": config.args_escaped,
    }
    maybe = {"Entrypoint": config.entrypoint, "Cmd": config.cmd, "Shell": config.shell}
    said = {key: each for key, each in value.items() if each}
    said |= {key: list(words) for key, words in maybe.items() if words is not None}
    if health is not None:
        numbers = {key: getattr(health, name) for key, name in HEALTH_NUMBERS.items()}
        test = {"Test": list(health.test)} if health.test else {}
        said["Healthcheck"] = test | {key: each for key, each in numbers.items() if each}
    return said


def _config_json(config: ImageConfig, before: dict[str, Any]) -> dict[str, Any]:
    """Everything in the spec's names, over what ``before`` holds besides."""
    own = {
        "created": config.created,
        "author": config.author,
        "architecture": config.architecture,
        "variant": config.variant,
        "os": config.os,
        "os.version": config.os_version,
        "os.features": list(config.os_features),
        "parent": config.parent,
        "container": config.container,
        "container_config": dict(config.container_config),
        "config": _over(before.get("config"), run_defaults_json(config.config), _RUN_KEYS),
        "rootfs": {"type": "layers", "diff_ids": list(config.diff_ids)},
        "history": [_history_json(each) for each in config.history],
    }
    said = {
        key: value for key, value in own.items() if value or key in ("architecture", "os", "rootfs")
    }
    return _over(before, said, own)


def _over(before: Any, said: dict[str, Any], known: Any) -> dict[str, Any]:
    """``said``, and from ``before`` the keys that are not ``known``."""
    return said | {key: value for key, value in (before or {}).items() if key not in known}


_RUN_KEYS = frozenset(
    [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
        "Healthcheck",
        "Shell",
        "OnBuild",
        "ArgsEscaped",
    ]
)


def _history_json(entry: History) -> dict[str, Any]:
    value = {
        "created": entry.created,
        "created_by": entry.created_by,
        "author": entry.author,
        "comment": entry.comment,
        "empty_layer": entry.empty_layer,
    }
    return {key: each for key, each in value.items() if each}
