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
    found = Config.read(environ).find(registry_of(image))
    if found is None:
        return {}
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(found).encode()).decode()}


class Config:
    """The file at ``path``, and what it said; what is not about credentials stays as it is."""

    def __init__(self, path: str, said: dict[str, Any]) -> None:
        self.path = path
        self.said = said

    @staticmethod
    def read(environ: Mapping[str, str]) -> Config:
        """Raises ``InvalidParameter`` for a file that is there and cannot be read."""
        home = environ.get("HOME") or "/root"
        path = os.path.join(environ.get("DOCKER_CONFIG") or f"{home}/.docker", "config.json")
        try:
            with open(path, "rb") as file:
                said = json.load(file)
        except FileNotFoundError:
            said = {}
        except (OSError, ValueError) as error:
            raise InvalidParameter(f"the credentials in {path} cannot be read: {error}") from error
        return Config(path, said if isinstance(said, dict) else {})

    def find(self, registry: str) -> dict[str, str] | None:
        """The credentials for ``registry``; None when nobody has logged in there."""
        return find(self.said, registry, ask_helper)

    def store(self, registry: str, auth: Mapping[str, str]) -> str:
        """Keep the credentials (AuthConfig); the warning that they are in the clear, or "".

        Raises ``InvalidParameter`` when a helper program is missing, ``OSError``.
        """
        if named := helper_of(self.said, registry):
            user, secret = auth.get("username", "<token>"), auth.get("password")
            secret = auth["identitytoken"] if secret is None else secret
            told = {"ServerURL": registry, "Username": user, "Secret": secret}
            tell_helper(named, "store", registry, json.dumps(told))
            entry: dict[str, str] = {}
        elif auth.get("identitytoken"):
            entry = {"auth": "", "identitytoken": auth["identitytoken"]}
        else:
            pair = f"{auth['username']}:{auth['password']}".encode()
            entry = {"auth": base64.b64encode(pair).decode()}
        self.said["auths"] = {**(self.said.get("auths") or {}), registry: entry}
        self._write()
        return "" if named else UNENCRYPTED.format(self.path)

    def erase(self, registry: str) -> None:
        """Forget the credentials; nothing happens when there are none."""
        if named := helper_of(self.said, registry):
            tell_helper(named, "erase", registry, registry)
        auths = self.said.get("auths") or {}
        left = {key: auth for key, auth in auths.items() if host_of(key) != host_of(registry)}
        if left != auths:
            self.said["auths"] = left
            self._write()

    def _write(self) -> None:
        """All of it or nothing, and for nobody else to read."""
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        path = os.path.realpath(self.path)  # a link to it stays one
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(json.dumps(self.said, indent="\t"))
        os.replace(temporary, path)


UNENCRYPTED = (
    "WARNING! Your credentials are stored unencrypted in '{}'.\n"
    "Configure a credential helper to remove this warning. See\n"
    "https://docs.docker.com/go/credential-store/"
)


def server_of(text: str) -> str:
    """The key of the registry that ``docker login TEXT`` means."""
    host = host_of(text)
    return HUB if not text or host in ("docker.io", "registry-1.docker.io") else host


def helper_of(config: Mapping[str, Any], registry: str) -> str:
    """The name of the helper program that keeps the registry's credentials; "" for none."""
    return str((config.get("credHelpers") or {}).get(registry) or config.get("credsStore") or "")


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
    if named := helper_of(config, registry):
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
    answer = _run_helper(name, "get", registry, registry)
    return answer.stdout if answer.returncode == 0 else None


def tell_helper(name: str, verb: str, registry: str, text: str) -> None:
    """Have ``docker-credential-NAME`` do what ``verb`` says.  Raises ``InvalidParameter``."""
    answer = _run_helper(name, verb, registry, text)
    if answer.returncode != 0 and verb == "store":
        raise InvalidParameter(
            f"docker-credential-{name} does not keep the credentials of {registry}: "
            f"{(answer.stdout or answer.stderr).strip()}"
        )


def _run_helper(name: str, verb: str, registry: str, text: str) -> subprocess.CompletedProcess[str]:
    program = f"docker-credential-{name}"
    try:
        return subprocess.run(
            [program, verb], input=text, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise InvalidParameter(
            f"the credentials of {registry} are kept by {program}, which cannot be run: "
            f"{error.strerror}; install it, or take its name out of Docker's config.json"
        ) from error
