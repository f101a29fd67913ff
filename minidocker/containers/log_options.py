"""What ``--log-driver`` and ``--log-opt`` ask for, checked and read.  Pure.

``json-file`` and ``local`` differ in what they keep by default and in where; both are files
of JSON lines, written by the container's monitor.  Options and messages: docs.docker.com,
"JSON File logging driver", "Local file logging driver", "Customize log driver output".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from minidocker.containers.container import Container
from minidocker.containers.spec import LogConfig
from minidocker.errors import InvalidParameter, Refused

DRIVERS: Final = ("json-file", "local", "none")
DEFAULT_SIZE: Final = 20 * 1024 * 1024  # rotated by default: a log must not fill the disk
DEFAULT_FILES: Final = 5
DEFAULT_BUFFER: Final = 1024 * 1024

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_EVERY_DRIVERS: Final = ("mode", "max-buffer-size")
_OF_FILES: Final = ("max-size", "max-file", "compress")
_OF_ATTRIBUTES: Final = ("labels", "labels-regex", "env", "env-regex", "tag")
_OPTIONS: Final = {
    "json-file": {*_EVERY_DRIVERS, *_OF_FILES, *_OF_ATTRIBUTES},
    "local": {*_EVERY_DRIVERS, *_OF_FILES},
    "none": {*_EVERY_DRIVERS, *_OF_FILES, *_OF_ATTRIBUTES},
}
_ACTION: Final = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
# What a tag can name (docs.docker.com, "Customize log driver output").
TAGS: Final[dict[str, Callable[[Container], str]]] = {
    "ID": lambda container: container.short_id,
    "FullID": lambda container: container.id,
    "Name": lambda container: container.name,
    "ImageID": lambda container: container.image_id[:12],
    "ImageFullID": lambda container: container.image_id,
    "ImageName": lambda container: container.spec.image,
    "DaemonName": lambda container: "docker",
}


@dataclass(frozen=True)
class LogOptions:
    """``max_size`` in bytes of one file, -1 is no limit; ``max_file``: how many files.

    ``compress``: the older ones.  ``buffer``: bytes that wait for a slow disk before lines
    are dropped (``mode=non-blocking``); 0 is that the container waits.
    """

    driver: str
    max_size: int
    max_file: int
    compress: bool
    buffer: int


def log_options(log: LogConfig) -> LogOptions:
    """The options that the monitor acts on.

    Raises ``InvalidParameter`` for a driver, an option or a value that does not exist,
    ``Refused`` for a tag that is more than names.
    """
    driver, given = log.driver or "json-file", log.options
    if driver not in DRIVERS:
        raise InvalidParameter(f"logger: no log driver named '{driver}' is registered")
    for name in given.keys() - _OPTIONS[driver]:
        where = f"{driver} log driver" if driver == "json-file" else f"log driver {driver}"
        raise InvalidParameter(f"unknown log opt '{name}' for {where}")
    _check_attributes(given)
    size, files = _size_and_files(given, driver)
    compress = driver == "local" and files > 1
    if "compress" in given:
        compress = _flag("compress", given["compress"])
    if compress and (files < 2 or size < 0):
        raise InvalidParameter(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )
    return LogOptions(driver, size, files, compress, _buffer(given))


def _size_and_files(given: Mapping[str, str], driver: str) -> tuple[int, int]:
    """Who says how large a file may be, and not how many, has one (Docker's default)."""
    size = parse_size(given["max-size"]) if "max-size" in given else DEFAULT_SIZE
    if size == 0:
        raise InvalidParameter("max-size must be a positive number")
    files = 1 if driver == "json-file" and "max-size" in given else DEFAULT_FILES
    if "max-file" in given:
        text = given["max-file"]
        if not re.fullmatch(r"-?\d{1,9}", text):
            raise InvalidParameter(f'max-file: parsing "{text}": invalid syntax')
        files = int(text)
    if files < 1:
        raise InvalidParameter("max-file cannot be less than 1")
    return size, files


def _buffer(given: Mapping[str, str]) -> int:
    mode = given.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" not in given:
        return DEFAULT_BUFFER if mode == "non-blocking" else 0
    if mode != "non-blocking":
        raise InvalidParameter(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    try:
        return max(parse_size(given["max-buffer-size"]), 1)
    except InvalidParameter as error:
        raise InvalidParameter(f"error parsing option max-buffer-size: {error}") from None


def _flag(name: str, text: str) -> bool:
    """As Go reads one (strconv.ParseBool)."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise InvalidParameter(f'{name}: parsing "{text}": invalid syntax')


def parse_size(text: str) -> int:
    """``10m``, ``1.5GB`` in bytes (powers of 1024); -1: no limit.  Raises ``InvalidParameter``."""
    if text == "-1":
        return -1
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidParameter(f"invalid size: '{text}'")
    number, unit = match.groups()
    return int(float(number) * 1024 ** " kmgtp".index(unit.lower() or " "))


# What every line carries besides its text: ``docker logs --details`` shows it.


def _check_attributes(given: Mapping[str, str]) -> None:
    for name in ("labels-regex", "env-regex"):
        _pattern(name, given.get(name, ""))
    rest = _ACTION.sub("", given.get("tag", ""))
    unknown = [name for name in _ACTION.findall(given.get("tag", "")) if name not in TAGS]
    if unknown or "{{" in rest:
        raise Refused(
            f"log option tag={given['tag']} is not supported: "
            f"it may hold {', '.join(f'{{{{.{name}}}}}' for name in TAGS)}, and text"
        )


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError) as error:
        raise InvalidParameter(f"log option {name}: error parsing regexp: {error}") from None


def attributes(container: Container, environment: Iterable[str]) -> dict[str, str]:
    """``labels``, ``env`` and ``tag`` of the container's log, sorted by name.

    ``environment``: what its program gets, "KEY=VALUE" each.
    """
    given = container.spec.log.options
    variables = dict(entry.split("=", 1) for entry in environment if "=" in entry)
    found = _chosen(container.spec.labels, given.get("labels", ""), given.get("labels-regex", ""))
    found |= _chosen(variables, given.get("env", ""), given.get("env-regex", ""))
    if tag := given.get("tag"):
        found["tag"] = _ACTION.sub(lambda action: TAGS[action[1]](container), tag)
    return dict(sorted(found.items()))


def _chosen(values: Mapping[str, str], names: str, pattern: str) -> dict[str, str]:
    wanted = set(names.split(","))
    return {
        name: value
        for name, value in values.items()
        if name in wanted or (pattern and re.search(pattern, name))
    }


def log_request(container: Container, environment: Iterable[str]) -> dict[str, Any]:
    """The launch protocol's ``log``, but for its path."""
    options = log_options(container.spec.log)
    attached = attributes(container, environment) if options.driver == "json-file" else {}
    return {
        "driver": options.driver,
        "max_size": options.max_size,
        "max_file": options.max_file,
        "compress": options.compress,
        "buffer": options.buffer,
        "attributes": attached,
    }
