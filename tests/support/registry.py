"""A registry to pull from, on loopback: Debian's docker-registry, and a bad neighbour of it.

``serve_registry`` runs the real program in a temporary directory: plain, with
a password (``htpasswd``) or with TLS.  ``Front`` is a reverse proxy before it
that makes what real networks and real liars make: transfers cut in the
middle, bearer tokens, bytes that are not what the digest says.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.need import need_program

USER, PASSWORD = "alice", "s3cret:word"
# bcrypt of PASSWORD; docker-registry knows no other kind
HTPASSWD = f"{USER}:$2b$04$daxgBYm2TwamBFF1I7M32.Ob6d3c7jlBzOZk.6sp6jEOBV6L6iEJe\n"

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0"{tls}}}
{auth}
"""


@dataclass(frozen=True)
class Registry:
    """A running registry.  ``host``: "127.0.0.1:PORT"; ``authority``: the CA's file, with TLS."""

    host: str
    directory: Path
    password: bool = False
    authority: Path | None = None

    def push(self, layout: Path, name: str, *options: str) -> None:
        """Copy the image "it" of an OCI layout to ``name`` ("library/alpine:latest")."""
        skopeo = need_program("skopeo")
        login = ["--dest-creds", f"{USER}:{PASSWORD}"] if self.password else []
        command = [skopeo, "copy", "--quiet", "--all", "--dest-tls-verify=false", *login, *options]
        subprocess.run(
            [*command, f"oci:{layout}:it", f"docker://{self.host}/{name}"],
            check=True,
            capture_output=True,
            timeout=60,
        )


@contextlib.contextmanager
def serve_registry(
    directory: Path, *, password: bool = False, tls: bool = False
) -> Iterator[Registry]:
    """Debian's docker-registry on a port that the kernel chose; gone when the block ends."""
    program = need_program("docker-registry")
    directory.mkdir(parents=True, exist_ok=True)
    authority, tls_section, auth_section = None, "", ""
    if tls:
        authority, certificate, key = make_certificates(directory)
        tls_section = f", tls: {{certificate: {certificate}, key: {key}}}"
    if password:
        (directory / "htpasswd").write_text(HTPASSWD)
        auth_section = f"auth: {{htpasswd: {{realm: test, path: {directory}/htpasswd}}}}"
    config = directory / "config.yml"
    config.write_text(CONFIG.format(root=directory, tls=tls_section, auth=auth_section))
    process = subprocess.Popen(
        [program, "serve", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={"OTEL_TRACES_EXPORTER": "none"},
    )
    assert process.stderr is not None
    try:
        port = _port_in_log(process.stderr)
        # Read on, or the registry blocks when the pipe is full.
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        yield Registry(f"127.0.0.1:{port}", directory, password, authority)
    finally:
        process.terminate()
        process.wait(10)
        drain.join(10)
        process.stderr.close()


def _port_in_log(log: object) -> int:
    seen = []
    for line in log:  # type: ignore[attr-defined]
        seen.append(line)
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
            return int(found.group(1))
    raise RuntimeError("docker-registry did not start:\n" + "".join(seen))


def make_certificates(directory: Path) -> tuple[Path, Path, Path]:
    """A certificate authority; a certificate of it for 127.0.0.1 and localhost; its key."""
    openssl = need_program("openssl")
    ca, ca_key = directory / "ca.crt", directory / "ca.key"
    certificate, key = directory / "server.crt", directory / "server.key"

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, timeout=60)

    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("req", "-x509", *ec, "-subj", "/CN=test authority", "-keyout", str(ca_key), "-out", str(ca))
    request = directory / "server.csr"
    run(
        "req", "-new", *ec[:-2], "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(request)
    )
    names = directory / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    run(
        *("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key)),
        *("-CAcreateserial", "-days", "2", "-extfile", str(names), "-out", str(certificate)),
    )
    return ca, certificate, key


@dataclass
class Front:
    """What the proxy does to the traffic; a test may change it while it runs.

    ``cut_after``: a blob's body ends after so many bytes, with the connection;
    so many times a blob as ``cuts`` says.  ``tamper(path, body)``: what is sent
    instead of a body.  ``bearer``: a token is asked for, and sold at /token to
    whoever knows USER and PASSWORD (to all, if ``anonymous``).  ``ranges``: whether
    Range is honoured.  ``stall``: when set to an event, a blob's second half waits
    for it, and ``stalled`` is set.  ``statuses``: path part -> status to answer once each.
    """

    upstream: str
    host: str = ""
    cut_after: int | None = None
    cuts: int = 1
    tamper: Callable[[str, bytes], bytes] = lambda path, body: body
    bearer: bool = False
    anonymous: bool = True
    ranges: bool = True
    stall: threading.Event | None = None
    stalled: threading.Event = field(default_factory=threading.Event)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    open_blobs: int = 0
    most_open_blobs: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def blobs_asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path, _ in self.requests if "/blobs/" in path]


TOKEN = "a-token-of-the-test"


@contextlib.contextmanager
def serve_front(upstream: str, **behaviour: object) -> Iterator[Front]:
    """A ``Front`` before the registry at ``upstream`` ("127.0.0.1:PORT")."""
    front = Front(upstream, **behaviour)  # type: ignore[arg-type]

    class Handler(_FrontHandler):
        pass

    Handler.front = front
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield front
    finally:
        if front.stall is not None:
            front.stall.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _FrontHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: Front

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        front = self.front
        headers = {key.lower(): value for key, value in self.headers.items()}
        front.requests.append((self.path, headers))
        if self.path.startswith("/token"):
            return self._sell_token(headers)
        if front.bearer and headers.get("authorization") != f"Bearer {TOKEN}":
            return self._challenge()
        for part, statuses in front.statuses.items():
            if part in self.path and statuses:
                return self._send(statuses.pop(0), {}, b"")
        if not front.ranges:
            headers.pop("range", None)
        return self._forward(headers)

    def _forward(self, headers: dict[str, str]) -> None:
        front = self.front
        upstream = http.client.HTTPConnection(front.upstream, timeout=30)
        wanted = {k: v for k, v in headers.items() if k in ("accept", "range")}
        upstream.request("GET", self.path, headers=wanted)
        response = upstream.getresponse()
        body = front.tamper(self.path, response.read())
        upstream.close()
        kept = ("content-type", "content-range", "docker-content-digest", "www-authenticate")
        answer = {k: v for k, v in response.getheaders() if k.lower() in kept}
        if "/blobs/" not in self.path:
            return self._send(response.status, answer, body)
        with front.lock:
            front.open_blobs += 1
            front.most_open_blobs = max(front.open_blobs, front.most_open_blobs)
        try:
            self._send_blob(response.status, answer, body)
        finally:
            with front.lock:
                front.open_blobs -= 1

    def _send_blob(self, status: int, headers: dict[str, str], body: bytes) -> None:
        front = self.front
        with front.lock:
            front.answered[self.path] += 1
            cut = front.cut_after is not None and front.answered[self.path] <= front.cuts
        if cut:
            self._send(status, headers, body, body[: front.cut_after])
            self._hang_up()
        elif front.stall is not None:
            self._send(status, headers, body, body[: len(body) // 2])
            front.stalled.set()
            front.stall.wait(60)
            with contextlib.suppress(OSError):
                self.wfile.write(body[len(body) // 2 :])
        else:
            self._send(status, headers, body)

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, sent: bytes | None = None
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else sent)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _challenge(self) -> None:
        realm = f"http://{self.front.host}/token"
        value = f'Bearer realm="{realm}",service="test"'
        body = b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
        self._send(401, {"WWW-Authenticate": value, "Content-Type": "application/json"}, body)

    def _sell_token(self, headers: dict[str, str]) -> None:
        query = parse_qs(urlsplit(self.path).query)
        ok = self.front.anonymous or "authorization" in headers
        if "authorization" in headers:
            from minidocker.images.auth import Credentials

            ok = headers["authorization"] == Credentials(USER, PASSWORD).basic
        if ok and query.get("scope", [""])[0].startswith("repository:"):
            return self._send(200, {}, json.dumps({"token": TOKEN}).encode())
        return self._send(401, {}, b'{"details":"incorrect username or password"}')
