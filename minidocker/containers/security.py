"""How much a container is trusted: its capabilities and its ``--security-opt``s."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minidocker.errors import InvalidParameter, Refused
from minidocker.namespaces.capabilities import DEFAULT, NAMES

ALL: Final = "ALL"


@dataclass(frozen=True)
class Security:
    """``seccomp``: None for Docker's default profile, "unconfined", or a profile's JSON text."""

    no_new_privileges: bool = False
    seccomp: str | None = None
    apparmor: str = ""
    masked: bool = True  # systempaths=unconfined turns the masked and read-only paths off


def effective_capabilities(
    add: Sequence[str], drop: Sequence[str], privileged: bool, available: Collection[str]
) -> tuple[str, ...]:
    """The set that a container starts with, in the order of the capabilities' numbers.

    ``available``: the bounding set of this engine, which is all that ``ALL`` and
    ``--privileged`` can give.  Raises ``InvalidParameter`` for names that do not exist
    (moby oci/caps/utils.go).
    """
    adds = normalize_capabilities(add, available, "CapAdd")
    drops = normalize_capabilities(drop, available, "CapDrop")
    if privileged:
        chosen = set(available)
    elif ALL in adds:
        chosen = set(available) - drops
    elif ALL in drops:
        chosen = adds
    else:
        chosen = (set(DEFAULT) - drops) | adds
    return tuple(name for name in NAMES if name in chosen)


def normalize_capabilities(
    names: Iterable[str], available: Collection[str], field: str
) -> set[str]:
    """``net_admin``, ``NET_ADMIN`` and ``CAP_NET_ADMIN`` are one; ``ALL`` stays.

    ``field`` ("CapAdd" or "CapDrop") is for the message.
    """
    normal = set()
    for name in names:
        upper = name.upper()
        full = upper if upper == ALL or upper.startswith("CAP_") else f"CAP_{upper}"
        if full not in (ALL, *NAMES):
            raise InvalidParameter(f'invalid {field}: unknown capability: "{full}"')
        if field == "CapAdd" and full != ALL and full not in available and full not in DEFAULT:
            raise InvalidParameter(
                f"invalid {field}: capability not supported by your kernel or not available "
                f'in the current environment: "{full}"'
            )
        normal.add(full)
    return normal


def parse_security_options(
    options: Iterable[str], *, apparmor: bool = False, selinux: bool = False
) -> Security:
    """``no-new-privileges[:true]``, ``seccomp=...``, ``systempaths=unconfined`` and the like.

    ``apparmor`` and ``selinux`` say what this kernel has.  To ask for no profile and
    no label is always granted; a profile needs a kernel that has AppArmor, and
    SELinux labels are refused.  Raises ``InvalidParameter``, ``Refused``.
    """
    found: dict[str, Any] = {}
    for option in options:
        # Old clients write "seccomp:unconfined"; a profile's JSON has colons of its own.
        separator = "=" if "=" in option else ":"
        key, _, value = option.partition(separator)
        if key == "no-new-privileges":
            found["no_new_privileges"] = _flag(option, value)
        elif key == "seccomp" and value:
            found["seccomp"] = None if value == "builtin" else _profile(value)
        elif option in ("systempaths=unconfined", "systempaths:unconfined"):
            found["masked"] = False
        elif key == "apparmor" and value:
            found["apparmor"] = _apparmor(value, apparmor)
        elif key == "label" and value:
            _refuse_label(value, selinux)
        elif separator not in option:
            raise InvalidParameter(f'invalid --security-opt 1: "{option}"')
        else:
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
    return Security(**found)


def _flag(option: str, value: str) -> bool:
    if value in ("", "1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise InvalidParameter(f'invalid --security-opt 2: "{option}"')


def _profile(text: str) -> str:
    if text == "unconfined":
        return text
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise InvalidParameter("Decoding seccomp profile failed: it has no defaultAction")
    return text


def _apparmor(profile: str, present: bool) -> str:
    if profile == "unconfined":
        return ""
    if not present:
        raise Refused(f'AppArmor is not enabled in this kernel: profile "{profile}" has no effect')
    return profile


def _refuse_label(value: str, present: bool) -> None:
    if value == "disable":
        return
    if not present:
        raise Refused(f'SELinux is not enabled in this kernel: label "{value}" has no effect')
    raise Refused(f'SELinux labels are not supported: use "label=disable" instead of "{value}"')
