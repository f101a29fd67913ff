"""Who the user is to a registry: what ``docker login`` has left in ~/.docker/config.json.

The file names a helper program for a registry (``credHelpers``) or for all
(``credsStore``), or holds the credentials itself (``auths``).  They go to the
daemon with the request that needs them, and it keeps none.

https://docs.docker.com/reference/cli/docker/#docker-cli-configuration-file-configjson-properties
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from minidocker.errors import InvalidParameter

HUB = "https://index.docker.io/v1/"  # the name under which Docker Hub's credentials are kept

Helper = Callable[[str, str], str | None]


def auth_header(image: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The header for a request about ``image``; {} when nobody has logged in there.

    Raises ``InvalidParameter`` for a file that is there and cannot be read.
    """
    home = environ.get("HOME") or "/root"
    path = os.path.join(environ.get("DOCKER_CONFIG") or f"{home}/.docker", "config.json")
    try:
        with open(path, "rb") as file:
            config = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidParameter(f"the credentials in {path} cannot be read: {error}") from error
    found = find(config if isinstance(config, dict) else {}, registry_of(image), ask_helper)
    if found is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(found).encode()).decode()}


def registry_of(image: str) -> str:
    """The key of the image's registry: its host, or Docker Hub's."""
    first, slash, _ = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return HUB
    return HUB if host_of(first) == "docker.io" else first


def host_of(key: str) -> str:
    """The host (and port) that a key of ``auths`` means; old ones are whole URLs."""
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return "docker.io" if host == "index.docker.io" else host


def find(config: Mapping[str, Any], registry: str, helper: Helper) -> dict[str, str] | None:
    """The credentials for ``registry`` as the API has them (AuthConfig).

    ``helper(name, registry)`` asks a helper program; None: it knows none.
    """
    named = (config.get("credHelpers") or {}).get(registry) or config.get("credsStore")
    if named:
        text = helper(named, registry)
        return None if text is None else _from_helper(json.loads(text), registry)
    auths = config.get("auths") or {}
    keys = [key for key in auths if key == registry] or [
        key for key in auths if host_of(key) == host_of(registry)
    ]
    return _from_file(auths[keys[0]], registry) if keys else None


def _from_file(entry: Mapping[str, str], registry: str) -> dict[str, str] | None:
    """``auth`` is base64 of user:password."""
    if entry.get("identitytoken"):
        return {"identitytoken": entry["identitytoken"], "serveraddress": registry}
    pair = base64.b64decode(entry.get("auth") or "").decode(errors="replace").strip("\0")
    user, colon, word = pair.partition(":")
    user, word = (user, word) if colon else (entry.get("username", ""), entry.get("password", ""))
    if not user:
        return None
    return {"username": user, "password": word, "serveraddress": registry}


def _from_helper(said: Mapping[str, str], registry: str) -> dict[str, str]:
    if said["Username"] == "<token>":
        return {"identitytoken": said["Secret"], "serveraddress": registry}
    return {
        "username": said["Username"],
        "password": said["Secret"],
        "serveraddress": registry,
    }


def ask_helper(name: str, registry: str) -> str | None:
    """What ``docker-credential-NAME get`` says; None when it knows no credentials.

    Raises ``InvalidParameter`` when the program is missing.
    """
    program = f"docker-credential-{name}"
    try:
        answer = subprocess.run(
            [program, "get"], input=registry, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InvalidParameter(
            f"the credentials of {registry} are kept by {program}, which cannot be run: "
            f"{error.strerror}; install it, or take its name out of Docker's config.json"
        ) from error
    return answer.stdout if answer.returncode == 0 else None
