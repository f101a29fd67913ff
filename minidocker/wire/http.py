"""What both ends must agree on above the bare HTTP/1.1: addresses, types, errors.

The daemon listens at addresses and the client connects to them, so both read
``-H`` here.  An error is a JSON object with the one key ``message`` (Engine
API, "Errors"), and its media type has no charset: the docker command prints
raw JSON otherwise.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from minidocker.errors import InvalidParameter, Refused

JSON = "application/json"
RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

DEFAULT_HOST = "unix:///run/minidocker/minidocker.sock"
DEFAULT_PORT = 2375

# RFC 3986, section 2.3: these mean themselves wherever they stand.
UNRESERVED = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")


class UnixAddress(NamedTuple):
    """A UNIX stream socket at an absolute path."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


class TcpAddress(NamedTuple):
    """A TCP port; no TLS."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


Address = UnixAddress | TcpAddress


def parse_address(text: str) -> Address:
    """The address that ``-H`` or ``DOCKER_HOST`` names.

    ``unix:///PATH``, ``tcp://HOST[:PORT]`` (also ``http://``).  Raises
    ``Refused`` for Docker's other transports, ``InvalidParameter`` for
    anything else, both with ``text``.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        raise InvalidParameter(f"unable to parse docker host `{text}`: write unix:///PATH")
    if scheme == "unix":
        return _unix(text, rest)
    if scheme in ("tcp", "http"):
        return _tcp(text, rest.rstrip("/"))
    if scheme in ("ssh", "npipe", "https", "fd"):
        raise Refused(
            f"unable to use docker host `{text}`: minidocker speaks over unix:// and tcp:// only"
        )
    raise InvalidParameter(f"unable to parse docker host `{text}`: unknown transport {scheme}")


def _unix(text: str, path: str) -> UnixAddress:
    if not path.startswith("/"):
        raise InvalidParameter(f"unable to parse docker host `{text}`: the path must be absolute")
    if len(path.encode()) > 107 or "\0" in path:  # sockaddr_un, unix(7)
        raise InvalidParameter(f"unable to use docker host `{text}`: the path exceeds 107 bytes")
    return UnixAddress(path)


def _tcp(text: str, rest: str) -> TcpAddress:
    if rest.startswith("["):
        host, closed, port = rest[1:].partition("]")
        well = bool(closed) and (not port or port.startswith(":"))
        port = port[1:]
    else:
        host, _, port = rest.partition(":")
        well = True
    number = int(port) if port.isascii() and port.isdigit() else DEFAULT_PORT if not port else -1
    if not well or not 0 < number < 65536 or set(host) & set("/?#@"):
        raise InvalidParameter(f"unable to parse docker host `{text}`: write tcp://HOST:PORT")
    return TcpAddress(host or "127.0.0.1", number)


def query(**parameters: object) -> str:
    """``?k=v&...`` for what is not None and not "", sorted; "" when nothing is.

    Booleans become 1 and 0, as the docker command writes them; a list repeats its key.
    """
    pairs = [
        f"{key}={quote(int(value) if isinstance(value, bool) else value)}"
        for key, said in sorted(parameters.items())
        for value in (said if isinstance(said, list | tuple) else [said])
        if value is not None and value != ""
    ]
    return "?" + "&".join(pairs) if pairs else ""


def quote(value: object, safe: str = "") -> str:
    """``value`` as text that may stand in a query; with ``safe="/:@"``, in a path.

    As ``urllib.parse.quote`` (RFC 3986, section 2.1): importing that takes a client
    longer than all of its requests.
    """
    text = str(value).encode("utf-8", "surrogateescape")
    kept = UNRESERVED | set(safe.encode())
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text)


def error_body(message: str) -> bytes:
    """The body of an answer whose status is 400 or more."""
    return json.dumps({"message": message}).encode() + b"\n"


def error_message(body: bytes, status: int) -> str:
    """What an error's body says; the body itself, or the status, when it is no such object."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        message = body.decode(errors="replace").strip()
    return str(message) or f"the daemon answered with status {status} and no message"
