"""One client's connection: socket bytes to h11 events to a handler, and back.

The socket is used directly, without a transport in between, for one reason:
``docker attach`` takes the connection over.  When its head has been answered,
the descriptor and the bytes that came early are all there is to hand on.

While a handler runs, the socket is watched: a client that has gone away ends a
handler that only waits or streams for it.  One that merely closed its writing
half still reads, and gets its answer.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import select
import socket
import termios
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Protocol
from urllib.parse import unquote

import h11

from minidocker.daemon.exchange import (
    Hijacked,
    Job,
    RawConnection,
    Request,
    Response,
    Stream,
    error_response,
)
from minidocker.daemon.heads import answer_head, http_date, plain
from minidocker.errors import InvalidParameter
from minidocker.wire.http import JSON

MAX_HEAD = 1024 * 1024  # bytes of request line and headers, as Go's net/http
HEAD_TIMEOUT = 300.0  # seconds from a head's first byte to its last, as dockerd
READ_SIZE = 65536
LINGER = 0.5  # seconds
HEAD_UNREAD = 0.5  # seconds that a head may lie in the socket before the connection goes on
DRAIN_LIMIT = 256 * 1024  # of a body nobody wanted; a longer one ends the connection


class Application(Protocol):
    """What answers requests: ``routes.Router``."""

    headers: tuple[tuple[str, str], ...]

    def job(self, request: Request) -> Job:
        """What to do for the request.  Neither this nor the job raises (but for ``Gone``)."""


class Gone(Exception):
    """The client closed the connection, or it broke."""


class Connection:
    """Serve one accepted, non-blocking socket until either side is done with it."""

    def __init__(self, sock: socket.socket, application: Application) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._loop = asyncio.get_running_loop()
        self._application = application
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._ended = False  # the client will send nothing more
        self._given_away = False

    async def serve(self) -> None:
        """Answer requests, one after the other, pipelined or not."""
        try:
            while (head := await self._next_head()) is not None:
                await self._exchange(head)
                if self._given_away or not await self._ready_for_next():
                    break
            if not self._given_away:
                await self._linger()
        except h11.RemoteProtocolError as error:
            await self._complain(error.error_status_hint, plain(error))
        except InvalidParameter as error:
            await self._complain(error.status, error.message)
        except Gone:
            pass
        finally:
            # No shutdown(): after a hijack the other descriptor is in use.
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._sock.close()

    # -- reading

    async def _next_head(self) -> h11.Request | None:
        """The next request's head; None when the client is through."""
        deadline = None
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                return event
            if event is not h11.NEED_DATA:
                return None
            if deadline is None and self._http.trailing_data[0]:
                deadline = self._loop.time() + HEAD_TIMEOUT
            try:
                async with asyncio.timeout_at(deadline):
                    await self._read()
            except TimeoutError:
                raise Gone from None

    async def _read(self) -> None:
        """Pass what comes next to h11; an end of the stream counts once."""
        if self._ended:
            raise Gone
        try:
            data = await self._receive()
        except OSError:
            raise Gone from None
        self._ended = not data
        self._http.receive_data(data)

    async def _receive(self) -> bytes:
        try:
            return self._sock.recv(READ_SIZE)
        except BlockingIOError:
            pass
        ready = self._loop.create_future()
        self._loop.add_reader(self._fd, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._fd)
        return await self._receive()

    async def _body(self) -> AsyncGenerator[bytes]:
        """The request's body, as it comes; nothing when it has been read already.

        Raises ``InvalidParameter`` for one that is cut, or in chunks that are none.
        """
        while self._http.their_state is h11.SEND_BODY:
            if self._http.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[], reason="Continue")
                await self._send(self._http.send(go_on))
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise InvalidParameter(f"malformed request body: {plain(error)}") from None
            if event is h11.NEED_DATA:
                await self._read()
            elif isinstance(event, h11.Data):
                yield bytes(event.data)

    async def _ready_for_next(self) -> bool:
        """Skip what is left of the body, if it is little, and begin anew."""
        if self._http.our_state is h11.DONE:
            await self._skip_body()
        if self._http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            self._http.start_next_cycle()
            return True
        return False

    async def _skip_body(self) -> bool:
        """Read what nobody asked for; False when it is too much."""
        skipped = 0
        async for chunk in self._body():
            skipped += len(chunk)
            if skipped > DRAIN_LIMIT:
                return False
        return True

    # -- one request

    async def _exchange(self, head: h11.Request) -> None:
        # A target may be a whole URL (RFC 9112, section 3.2.2).
        whole = re.sub("^https?://[^/?]*", "", head.target.decode("latin-1"))
        target, _, query = whole.partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        body = self._body()
        request = Request(
            method=head.method.decode("latin-1"),
            path=unquote(target, errors="replace"),
            raw_query=query,
            headers=headers,
            chunks=body,
            hijack_with=self._hijack,
        )
        async with aclosing(body):
            job = self._application.job(request)
            head_only = request.method == "HEAD"
            if job.lasting and await self._skip_body():
                await self._while_connected(self._answer(job, head_only))
            else:
                await self._answer(job, head_only)

    async def _answer(self, job: Job, head_only: bool) -> None:
        answer = await job.run()
        if isinstance(answer, Stream):
            await self._send_stream(answer, head_only)
        elif isinstance(answer, Response):
            await self._send_response(answer, head_only)
        else:
            assert isinstance(answer, Hijacked)

    async def _while_connected(self, answering: Coroutine[None, None, None]) -> None:
        """Answer, and stop doing so when the client disappears."""
        task = asyncio.ensure_future(answering)
        watch = asyncio.ensure_future(self._until_gone())
        try:
            await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Gone
            await task
        finally:
            for each in (task, watch):
                each.cancel()
            await asyncio.gather(task, watch, return_exceptions=True)

    async def _until_gone(self) -> None:
        """Return when the client is gone.  Its early bytes are kept for the next request."""
        try:
            while not self._ended:
                if len(self._http.trailing_data[0]) > MAX_HEAD:
                    return
                await self._read()
        except Gone:
            return
        if self._sock.family == socket.AF_UNIX:
            await self._until_hung_up()

    async def _until_hung_up(self) -> None:
        """After an end of stream: wait for the rest of the connection to close.

        A UNIX socket tells the two apart: EPOLLHUP comes when both halves are
        closed (unix(7), poll).  It is reported without being asked for, so an
        epoll set that asks for nothing sleeps until then.  TCP cannot tell; there an
        end of stream counts as gone, as in Go's net/http.
        """
        with select.epoll() as hang_up:
            hang_up.register(self._fd, 0)
            ready = self._loop.create_future()
            self._loop.add_reader(hang_up.fileno(), _settle, ready)
            try:
                await ready
            finally:
                self._loop.remove_reader(hang_up.fileno())

    async def _linger(self) -> None:
        """Let the client read our last words: closing on unread bytes would be a reset."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LINGER):
                while await self._receive():
                    pass
        except (OSError, TimeoutError):
            pass

    # -- writing

    async def _send(self, data: bytes | None) -> None:
        """Write all of ``data``; waits for a slow client, raises ``Gone`` for a lost one."""
        view = memoryview(data or b"")
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                await self._writable()
            except OSError:
                raise Gone from None

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_writer(self._fd, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(self._fd)

    def _headers(self, content_type: str, more: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        kind = [("Content-Type", content_type)] if content_type else []
        # Who waits for "100 Continue" and gets this instead may send its body or not: only
        # the end of the connection makes clear what the next bytes would be.
        # So is a body that was malformed.
        lost = self._http.their_state is h11.ERROR
        waits = self._http.they_are_waiting_for_100_continue
        end = [("Connection", "close")] if waits or lost else []
        date = ("Date", http_date(time.time()))
        return [*self._application.headers, *kind, *more, *end, date]

    async def _send_response(self, answer: Response, head_only: bool) -> None:
        headers = self._headers(answer.content_type, answer.headers)
        if answer.status not in (204, 304):
            headers.append(("Content-Length", str(len(answer.body))))
        data = self._http.send(answer_head(answer.status, headers)) or b""
        if answer.body and not head_only:
            data += self._http.send(h11.Data(data=answer.body)) or b""
        await self._send(data + (self._http.send(h11.EndOfMessage()) or b""))

    async def _send_stream(self, answer: Stream, head_only: bool) -> None:
        """The head at once: clients of logs, events and wait block until they have it.

        A failure after that cannot be told in HTTP: the connection is broken off, which
        the client notices by the missing last chunk.
        """
        try:
            headers = self._headers(answer.content_type, answer.headers)
            await self._send(self._http.send(answer_head(answer.status, headers)))
            if not head_only:
                async for chunk in answer.chunks:
                    if chunk:
                        await self._send(self._http.send(h11.Data(data=chunk)))
            await self._send(self._http.send(h11.EndOfMessage()))
        finally:
            answer.close()
            end: Callable[[], Awaitable[None]] | None = getattr(answer.chunks, "aclose", None)
            if end is not None:
                await end()

    async def _hijack(self, content_type: str, accept: str = "") -> RawConnection:
        """Answer with the literal head that dockerd writes, and let go of the socket."""
        async for _ in self._body():
            pass
        # h11 has this name, and forgot it in its __all__
        upgrade = self._http.their_state is h11.MIGHT_SWITCH_PROTOCOL  # type: ignore[attr-defined]
        first = "HTTP/1.1 101 UPGRADED" if upgrade else "HTTP/1.1 200 OK"
        lines = [first, f"Content-Type: {content_type}"]
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        if accept:
            lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade"]
            lines += ["Upgrade: websocket", f"Sec-WebSocket-Accept: {accept}"]
        lines += [f"{name}: {value}" for name, value in self._application.headers]
        await self._send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        self._given_away = True
        await self._until_it_is_read()
        return RawConnection(os.dup(self._fd), bytes(self._http.trailing_data[0]))

    async def _until_it_is_read(self) -> None:
        """Wait until the client has taken the head out of the socket, but not for ever.

        docker-py reads the head through a buffer, and all that follows from the bare socket:
        output that came along with the head would stay in that buffer.
        """
        deadline = self._loop.time() + HEAD_UNREAD
        while unread(self._sock) and self._loop.time() < deadline:
            await asyncio.sleep(0.0002)

    async def _complain(self, status: int, message: str) -> None:
        """Bytes that are no HTTP: say so, if an answer is still possible, and close."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        answer = error_response(status, message)
        headers = self._headers(JSON, [])
        headers.append(("Content-Length", str(len(answer.body))))
        try:
            head = self._http.send(answer_head(answer.status, headers)) or b""
            await self._send(head + answer.body)
            await self._linger()
        except (Gone, h11.LocalProtocolError):
            pass


def unread(sock: socket.socket) -> bool:
    """Whether something that was sent on a UNIX socket is not read yet (unix(7), SIOCOUTQ)."""
    if sock.family != socket.AF_UNIX:
        return False
    return any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
