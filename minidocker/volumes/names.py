"""What a volume may be called: the name is a directory's, too."""

from __future__ import annotations

import re
import secrets
from typing import Final

from minidocker.errors import InvalidParameter

CHARACTERS: Final = "[a-zA-Z0-9][a-zA-Z0-9_.-]"
LONGEST: Final = 255  # bytes, NAME_MAX
_NAME: Final = re.compile(f"{CHARACTERS}+")


def check_name(name: str) -> None:
    """Raises ``InvalidParameter`` in Docker's words (moby volume/local, ``validateName``)."""
    if len(name) == 1:
        raise InvalidParameter(
            "volume name is too short, names should be at least two alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise InvalidParameter(
            f'"{name}" includes invalid characters for a local volume name, '
            f'only "{CHARACTERS}" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )
    if len(name) > LONGEST:
        raise InvalidParameter(f"volume name is too long, {LONGEST} characters at most")


def new_name() -> str:
    """The name of an anonymous volume: 64 hex digits."""
    return secrets.token_hex(32)
