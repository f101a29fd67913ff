"""Talking to a daemon: HTTP/1.1 over one socket, which may turn into a raw stream.

A ``Connection`` is kept open from request to request.  What lasts (attach,
wait, events) gets a connection of its own, since HTTP answers in order.
Requests carry no version: the daemon then speaks its newest.

The values of this package are named tuples: each frozen dataclass would take
half a millisecond more to define, and start-up is all that a client costs.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import h11

from minidocker.errors import MinidockerError, Unavailable
from minidocker.wire.http import JSON, Address, TcpAddress, error_message, query, quote
from minidocker.wire.jsonstream import JsonDecoder

READ_SIZE = 65536


class ApiError(MinidockerError):
    """The daemon refused: ``status`` is HTTP's, the text says that it was the daemon."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"Error response from daemon: {message}")
        self.status = status
        self.reason = message


class Raw(NamedTuple):
    """A connection that carries streams now: ``early`` came together with the answer's head."""

    sock: socket.socket
    early: bytes
    content_type: str


class Reply:
    """An answer whose head has come; the body is read when asked for, and once."""

    def __init__(self, status: int, headers: Mapping[str, str], connection: Connection) -> None:
        self.status, self.headers = status, headers
        self._connection = connection

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes.  Raises ``Unavailable`` if the daemon breaks off."""
        return self._connection.body()

    def read(self) -> bytes:
        return b"".join(self.chunks())

    def json(self) -> Any:
        return json.loads(self.read() or b"null")

    def messages(self) -> Iterator[Any]:
        """The JSON values of a body that is a stream of them."""
        decoder = JsonDecoder()
        for chunk in self.chunks():
            yield from decoder.feed(chunk)


class Connection:
    """One socket to the daemon at ``address``, opened by the first request.  Not for threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._sock: socket.socket | None = None
        self._http = h11.Connection(h11.CLIENT)

    def open(self) -> socket.socket:
        """Connect, if that is still to be done.

        Raises what ``connect`` does: whether to start a daemon is the caller's to say.
        """
        if self._sock is None:
            if isinstance(self.address, TcpAddress):
                sock = socket.create_connection((self.address.host, self.address.port))
            else:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    sock.connect(self.address.path)
                except OSError:
                    sock.close()
                    raise
            self._sock = sock
            self._http = h11.Connection(h11.CLIENT)
        return self._sock

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        path: str,
        /,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> Reply:
        """Send a request and wait for the answer's head.

        ``body``: a JSON value.  ``parameters``: the query; None and "" are left out.
        Raises ``ApiError`` for a status of 400 and more, ``Unavailable`` when there is no
        daemon.  An earlier answer that was not read to its end is given up.
        """
        self._send(method, target(path, parameters), body, headers or {})
        return self.receive()

    def upload(
        self,
        path: str,
        pieces: Iterable[bytes],
        /,
        content_type: str,
        method: str = "POST",
        **parameters: object,
    ) -> Reply:
        """Send a body that comes in pieces, however many, and wait for the answer's head.

        Raises as ``ask``, and what ``pieces`` raises; the request is broken off then.
        """
        sock = self._fresh()
        lines = {"Host": "minidocker", "User-Agent": "minidocker", "Content-Type": content_type}
        lines["Transfer-Encoding"] = "chunked"
        where = target(path, parameters)
        self._put(sock, h11.Request(method=method, target=where, headers=list(lines.items())))
        try:
            for piece in pieces:
                self._put(sock, h11.Data(data=piece))
            self._put(sock, h11.EndOfMessage())
        except BrokenPipeError:
            pass  # it has read enough to answer
        except BaseException:  # whatever it was: half a body must not look like a whole one
            self.close()
            raise
        return self.receive()

    def _put(self, sock: socket.socket, event: h11.Event) -> None:
        sock.sendall(self._http.send(event) or b"")

    def send(self, method: str, path: str, body: object = None, **parameters: object) -> None:
        """The first half of ``ask``, to wait for several daemons' or objects' answers at once."""
        self._send(method, target(path, parameters), body, {})

    def receive(self) -> Reply:
        """The second half of ``ask``."""
        reply = self._head()
        if reply.status >= 400:
            raise ApiError(reply.status, error_message(reply.read(), reply.status))
        return reply

    def hijack(self, path: str, body: object = None, **parameters: object) -> Raw:
        """POST a request after whose answer the connection is a raw stream (ContainerAttach).

        The socket belongs to the caller then.
        """
        upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
        reply = self.ask("POST", path, body, upgrade, **parameters)
        early, _ = self._http.trailing_data
        assert self._sock is not None
        sock, self._sock = self._sock, None
        return Raw(sock, bytes(early), reply.headers.get("content-type", ""))

    def body(self) -> Iterator[bytes]:
        """What ``Reply.chunks`` gives."""
        while True:
            event = self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    def _send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> None:
        sock = self._fresh()
        content = b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "minidocker", "User-Agent": "minidocker", **headers}
        if body is not None:
            lines["Content-Type"] = JSON
        if method in ("POST", "PUT"):
            lines["Content-Length"] = str(len(content))
        request = h11.Request(method=method, target=target, headers=list(lines.items()))
        data = self._http.send(request) or b""
        if content:
            data += self._http.send(h11.Data(data=content)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        try:
            sock.sendall(data)
        except OSError as error:
            self.close()
            raise unreachable(self.address, error) from error

    def _fresh(self) -> socket.socket:
        """The socket, ready for a request."""
        if self._sock is not None and not self._ready_again():
            self.close()
        try:
            return self.open()
        except OSError as error:
            raise unreachable(self.address, error) from error

    def _ready_again(self) -> bool:
        """Whether the last exchange is over and the connection stays open."""
        if self._http.our_state is h11.IDLE:
            return True
        try:
            if self._http.their_state is h11.SEND_BODY:
                event = self._http.next_event()
                while isinstance(event, h11.Data):
                    event = self._http.next_event()
            self._http.start_next_cycle()
        except (h11.ProtocolError, ValueError):
            return False
        return True

    def _head(self) -> Reply:
        while True:
            event = self._event()
            if isinstance(event, h11.Response):
                break
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                break
            if isinstance(event, h11.ConnectionClosed):
                self.close()
                raise Unavailable(f"the daemon at {self.address} closed the connection")
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        return Reply(event.status_code, headers, self)

    def _event(self) -> object:
        """The next event of h11 that is one."""
        assert self._sock is not None
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self._sock.recv(READ_SIZE))
        except (OSError, h11.RemoteProtocolError) as error:
            self.close()
            raise Unavailable(
                f"the daemon at {self.address} broke off in the middle of its answer: {error}"
            ) from error
        return event


def target(path: str, parameters: Mapping[str, object]) -> str:
    """What stands in the request's first line; ``path`` may hold names as the user typed them."""
    return quote(path, safe="/:@") + query(**parameters)


def unreachable(address: Address, error: OSError) -> Unavailable:
    """The sentence for a daemon that does not answer at ``address``."""
    if isinstance(error, PermissionError):
        return Unavailable(
            f"permission denied while trying to connect to the minidocker daemon at {address}: "
            "use sudo, or join the group that owns the socket"
        )
    return Unavailable(
        f"Cannot connect to the minidocker daemon at {address}. Is the daemon running?"
    )
