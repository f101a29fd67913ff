"""The little languages of ``run``'s flags: volumes, mounts, devices, ulimits, env files.

Each function reads one flag's text and gives the piece of the create request
that it stands for (Engine API, ContainerCreate).  Nothing here touches the
machine: what exists there is for the daemon to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from minidocker.client.flags import parse_int
from minidocker.client.units import parse_bytes
from minidocker.errors import InvalidParameter

Json = dict[str, Any]

ULIMITS = {
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice"),
    *("nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
}

# Those of the kernel's that belong to the IPC namespace; the prefixes below are as private.
IPC_SYSCTLS = ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
SYSCTLS = {f"kernel.{name}" for name in IPC_SYSCTLS}
SYSCTL_PREFIXES = ("net.", "fs.mqueue.")


def parse_cpus(text: str) -> int:
    """Billionths of a CPU: "1.5" is 1500000000.  Also fractions, "1/2"."""
    from fractions import Fraction

    try:
        cpus = Fraction(text) * 1_000_000_000
    except (ValueError, ZeroDivisionError):
        raise InvalidParameter(f"failed to parse {text} as a rational number") from None
    if cpus.denominator != 1:
        raise InvalidParameter("value is too precise")
    return int(cpus)


def parse_memory_swap(text: str) -> int:
    """Bytes of memory and swap together; "-1": as much swap as there is."""
    return -1 if text == "-1" else parse_bytes(text)


def parse_environment(lines: Sequence[str], host: Mapping[str, str]) -> list[str]:
    """``-e``: "A=B" as it is, "A" with the value that ``host`` has.

    A name that ``host`` does not know stays bare: it takes the image's variable away.
    """
    return [
        line if "=" in line or line not in host else f"{line}={host[line]}"
        for line in map(check_environment, lines)
    ]


def check_environment(text: str) -> str:
    if not text.partition("=")[0]:
        raise InvalidParameter(f"invalid environment variable: {text}")
    return text


def parse_env_file(text: str, path: str, host: Mapping[str, str] | None) -> list[str]:
    """The variables of an env file's ``text``; ``path`` is for messages.

    A line is ``NAME=value`` (kept to its end, quotes and all) or ``NAME`` (the value of
    ``host``, or no variable); empty lines and those that begin with ``#`` do not count.
    ``host`` None: a file of labels, whose bare names stay.
    """
    found = []
    for line in text.removeprefix("\ufeff").split("\n"):
        line = line.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, given, value = line.partition("=")
        if not name:
            raise InvalidParameter(f"invalid env file ({path}): no variable name on line '{line}'")
        if re.search(r"\s", name):
            raise InvalidParameter(
                f"invalid env file ({path}): variable '{name}' contains whitespaces"
            )
        if given or host is None:
            found.append(f"{name}={value}" if given else name)
        elif name in host:
            found.append(f"{name}={host[name]}")
    return found


def parse_labels(lines: Sequence[str]) -> dict[str, str]:
    """``--label`` and the lines of ``--label-file``: "a=b", or "a" for an empty value."""
    labels = {}
    for line in map(check_label, lines):
        name, _, value = line.partition("=")
        labels[name] = value
    return labels


def check_label(text: str) -> str:
    if not text.partition("=")[0]:
        raise InvalidParameter(f"invalid label '{text}': empty name")
    return text


def parse_ulimit(text: str) -> Json:
    """``nofile=1024`` or ``nofile=1024:2048``; -1 is no limit."""
    name, given, values = text.partition("=")
    if not given:
        raise InvalidParameter(f"invalid ulimit argument: {text}")
    if name not in ULIMITS:
        raise InvalidParameter(f"invalid ulimit type: {name}")
    numbers = [parse_int(value) for value in values.split(":")]
    if len(numbers) > 2:
        raise InvalidParameter(
            f"too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"
        )
    soft, hard = numbers[0], numbers[-1]
    if len(numbers) == 2 and hard != -1:
        if soft == -1:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: "
                f"soft: -1 (unlimited), hard: {hard}"
            )
        if soft > hard:
            raise InvalidParameter(
                f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
            )
    return {"Name": name, "Hard": hard, "Soft": soft}


def parse_device(text: str) -> Json:
    """``/dev/x``, ``/dev/x:/dev/y``, ``/dev/x:rw``, ``/dev/x:/dev/y:rwm``."""
    parts = text.split(":")
    if not text or len(parts) > 3:
        raise InvalidParameter(f"bad format for path: {text}")
    source, target, mode = parts[0], "", "rwm"
    if len(parts) > 1:
        if device_mode(parts[1]):
            mode = parts[1]
        else:
            target = parts[1]
    if len(parts) == 3:
        if not device_mode(parts[2]):
            raise InvalidParameter(f"bad mode specified: {parts[2]}")
        mode = parts[2]
    for path in filter(None, (source, target)):
        if not path.startswith("/"):
            raise InvalidParameter(f"{path} is not an absolute path")
    return {
        "PathOnHost": source,
        "PathInContainer": target or source,
        "CgroupPermissions": mode,
    }


def device_mode(text: str) -> bool:
    """Whether ``text`` is letters of "rwm", each at most once."""
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def parse_sysctl(text: str) -> tuple[str, str]:
    """``net.core.somaxconn=1024``; only those that belong to a namespace."""
    name, given, value = text.partition("=")
    if not given or not (name in SYSCTLS or name.startswith(SYSCTL_PREFIXES)):
        raise InvalidParameter(f"sysctl '{text}' is not allowed")
    return name, value


def parse_restart(text: str) -> Json:
    """``no``, ``always``, ``unless-stopped``, ``on-failure[:retries]``."""
    name, given, retries = text.partition(":")
    if text and not name:
        raise InvalidParameter("invalid restart policy format: no policy provided before colon")
    if given and not re.fullmatch(r"[+-]?\d+", retries, re.ASCII):
        raise InvalidParameter(
            "invalid restart policy format: maximum retry count must be an integer"
        )
    return {"Name": name, "MaximumRetryCount": int(retries or 0)}


def parse_extra_host(text: str) -> str:
    """``name:address`` or ``name=address``, or ``name:host-gateway``."""
    import ipaddress

    separator = "=" if "=" in text else ":"
    name, given, address = text.partition(separator)
    if not given or not name:
        raise InvalidParameter(f'bad format for add-host: "{text}"')
    if address != "host-gateway":
        try:
            ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise InvalidParameter(f'invalid IP address in add-host: "{address}"') from None
    return f"{name}:{address.removeprefix('[').removesuffix(']')}"


def parse_address(text: str) -> str:
    """An IP address, for ``--dns``."""
    import ipaddress

    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise InvalidParameter(f"IP address is not correctly formatted: {text}") from None


def parse_stream(text: str) -> str:
    """``--attach``: one of the three streams, in lower case."""
    if text.lower() not in ("stdin", "stdout", "stderr"):
        raise InvalidParameter("valid streams are STDIN, STDOUT and STDERR")
    return text.lower()


def normalize_capability(text: str) -> str:
    """``net_admin`` and ``CAP_NET_ADMIN`` are the same; ``ALL`` stays."""
    name = text.strip().upper()
    return name if name == "ALL" or name.startswith("CAP_") else f"CAP_{name}"


def normalize_capabilities(names: Sequence[str]) -> list[str]:
    """``--cap-add`` or ``--cap-drop``: sorted, each once, with Docker's prefix."""
    return sorted(set(map(normalize_capability, names)))


def parse_tmpfs(text: str) -> tuple[str, str]:
    """``/run:size=64m,noexec`` -> ("/run", "size=64m,noexec")."""
    target, _, options = text.partition(":")
    return target, options


def parse_security_options(options: Sequence[str]) -> tuple[list[str], bool]:
    """``--security-opt`` without systempaths, and whether ``systempaths=unconfined`` was there."""
    kept, unmasked = [], False
    for option in options:
        name = re.split("[=:]", option, maxsplit=1)
        if option != "no-new-privileges" and len(name) == 1:
            raise InvalidParameter(f'Invalid --security-opt: "{option}"')
        if option == "systempaths=unconfined":
            unmasked = True
        else:
            kept.append(option)
    return kept, unmasked
