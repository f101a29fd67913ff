"""``docker cp`` and the archive calls below it, against dockerd and against hostile containers."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.cli import DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel

NAME = "copied"
MADE = """
mkdir -p /d/sub /empty; echo one > /d/one; echo two > /d/sub/two; ln -s one /d/link
ln -s /d /to-d; ln -s /nowhere /broken; ln -s /etc/passwd /to-file; ln -s ../../../../etc /d/up
ln -s loop /loop; chmod 4711 /d/one; chown app:wheel /d/one; ln /d/one /d/hard; mkfifo /d/fifo
touch -d '2001-02-03 04:05:06' /d/sub; chmod 1777 /empty; echo up
"""


class Unix(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def call(
    docker: DockerCli, method: str, path: str, body: bytes = b"", **query: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an archive call for ``path``."""
    parameters = "".join(f"&{key}={value}" for key, value in query.items())
    target = f"/containers/{NAME}/archive?path={quote(path)}{parameters}"
    connection = Unix(docker.socket)
    try:
        connection.request(method, target, body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def start(docker: DockerCli, state: str, *flags: str) -> None:
    last = "" if state == "stopped" else "exec sleep 1000"
    line = ("run", "-d", "--name", NAME, "--net", "none", *flags, "busybox", "sh", "-c")
    docker(*line, MADE + last).ok()
    while "up" not in docker("logs", NAME).ok():
        pass
    if state == "stopped":
        docker("wait", NAME).ok()


@pytest.fixture(params=["running", "stopped"])
def both(
    request: pytest.FixtureRequest, engine: Engine, dockerd: Dockerd
) -> Iterator[tuple[DockerCli, DockerCli]]:
    """dockerd's container and ours."""
    for docker in (dockerd.docker, engine.docker):
        start(docker, request.param)
    yield dockerd.docker, engine.docker
    for docker in (dockerd.docker, engine.docker):
        docker("rm", "-f", NAME).ok()


@pytest.fixture(params=["running", "stopped"])
def ours(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Engine]:
    start(engine.docker, request.param)
    yield engine
    engine.docker("rm", "-f", NAME).ok()


PATHS = [
    "/",
    "/.",
    "/d",
    "/d/",
    "/d/.",
    "/d/sub",
    "/d/one",
    "/d/link",
    "/to-d",
    "/to-d/",
    "/to-d/.",
    "/to-d/sub",
    "/broken",
    "/to-file",
    "/d/up",
    "/d/up/passwd",
    "/d/fifo",
    "/loop",
    "/no/such",
    "/d/no",
    "/../d",
    "d",
    "d/../d",
    "//d",
    "/d//sub",
    "/empty",
    "/etc/passwd",
]


def described(headers: dict[str, str]) -> Any:
    found = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
    if found["mode"] & 1 << 31:
        del found["size"]  # of a directory: the file system's business
    del found["mtime"]
    return found


@pytest.mark.oracle
def test_paths_mean_what_they_mean_to_dockerd(both: tuple[DockerCli, DockerCli]) -> None:
    for path in PATHS:
        said = []
        for docker in both:
            status, headers, _ = call(docker, "HEAD", path)
            said.append((status, described(headers) if status == 200 else None))
        assert said[1] == said[0], path


def entries(data: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            each.name: (
                each.type if each.type != tarfile.LNKTYPE else tarfile.REGTYPE,
                each.mode & 0o7777,
                each.uid,
                each.gid,
                each.linkname if each.issym() else "",
            )
            for each in tar
        }


@pytest.mark.oracle
def test_archives_hold_what_dockerds_hold(both: tuple[DockerCli, DockerCli]) -> None:
    for path in PATHS:
        if path in ("/", "/.", "/loop"):  # the whole of /proc, and a text with dockerd's folders
            continue
        answers = [call(docker, "GET", path) for docker in both]
        assert answers[1][0] == answers[0][0], path
        if answers[0][0] == 200:
            assert entries(answers[1][2]) == entries(answers[0][2]), path
        else:
            assert json.loads(answers[1][2]) == json.loads(answers[0][2]), path


def tar(*members: tuple[str, bytes, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = kind, 0o640, 7, 8, 1000
            if isinstance(content, str):
                info.linkname = content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
UPLOADS: dict[str, tuple[str, bytes]] = {
    "a file": ("/d", tar(("new", FILE, b"new"))),
    "a tree": ("/", tar(("t", FOLDER, b""), ("t/u", FOLDER, b""), ("t/u/f", FILE, b"1"))),
    "implied parents": ("/d", tar(("x/y/z", FILE, b"1"))),
    "over a file": ("/d", tar(("one", FILE, b"changed"))),
    "over a link": ("/d", tar(("link", FILE, b"changed"))),
    "through a link": ("/to-d", tar(("new", FILE, b"1"), ("up/new", FILE, b"2"))),
    "a directory over a file": ("/d", tar(("one", FOLDER, b""))),
    "a file over a directory": ("/d", tar(("sub", FILE, b"1"))),
    "merged": ("/d", tar(("sub", FOLDER, b""), ("sub/new", FILE, b"1"))),
    "links": ("/d", tar(("l", LINK, "/etc"), ("f", FILE, b"1"), ("h", HARD, "f"))),
    "whiteout's name": ("/d", tar((".wh.one", FILE, b""), ("sub/.wh..wh..opq", FILE, b""))),
    "the directory itself": ("/d", tar(("./", FOLDER, b""), ("./f", FILE, b"1"))),
    "absolute": ("/d", tar(("/abs", FILE, b"1"))),
    "nothing": ("/d", tar()),
    "no directory": ("/d/one", tar(("f", FILE, b"1"))),
    "not there": ("/no/such", tar(("f", FILE, b"1"))),
    "a fifo": ("/d", tar(("ff", tarfile.FIFOTYPE, ""))),
}
LOOK = "find /d /t /etc/new -exec stat -c '%n %F %a %u:%g %h %N' {} + 2>/dev/null | sort"


@pytest.mark.oracle
@pytest.mark.parametrize("keep", ["", "1"])
@pytest.mark.parametrize("name", UPLOADS)
def test_uploads_do_what_they_do_to_dockerd(
    engine: Engine, dockerd: Dockerd, name: str, keep: str
) -> None:
    path, body = UPLOADS[name]
    seen = []
    for docker in (dockerd.docker, engine.docker):
        start(docker, "running")
        try:
            query = {"noOverwriteDirNonDir": keep} if keep else {}
            status, _, answer = call(docker, "PUT", path, body, **query)
            seen.append((status, answer, docker("exec", NAME, "sh", "-c", LOOK).out))
        finally:
            docker("rm", "-f", NAME).ok()
    assert seen[1][2] == seen[0][2]
    # What dockerd 20.10 reports of its tar process as an error of its own is a bad request.
    assert seen[1][0] == seen[0][0] or (seen[1][0], seen[0][0]) == (400, 500)
    if seen[0][0] == 404:
        assert seen[1][1] == seen[0][1]


def test_an_archive_cannot_leave_its_directory(ours: Engine) -> None:
    for name in ("../evil", "a/../../evil"):
        status, _, body = call(ours.docker, "PUT", "/d", tar((name, FILE, b"1")))
        assert status == 400
        assert "is outside of" in json.loads(body)["message"]
    assert ours.docker("cp", f"{NAME}:/evil", "-").code == 1


@pytest.mark.parametrize("damage", [b"no tar at all" * 100, b"\x1f\x8b\x08broken"])
def test_what_is_no_archive_is_refused(ours: Engine, damage: bytes) -> None:
    status, _, body = call(ours.docker, "PUT", "/d", damage)
    assert status == 400, body
    assert "the archive" in json.loads(body)["message"] or "gzip" in json.loads(body)["message"]


def test_compressed_archives_are_taken(ours: Engine) -> None:
    import bz2
    import gzip
    import lzma

    for pack in (gzip.compress, bz2.compress, lzma.compress):
        name = pack.__module__
        status, _, _ = call(ours.docker, "PUT", "/d", pack(tar((name, FILE, b"1"))))
        assert status == 200
        assert call(ours.docker, "HEAD", f"/d/{name}")[0] == 200


def test_a_path_must_be_said(ours: Engine) -> None:
    assert call(ours.docker, "GET", "")[0] == 400


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_volumes_are_part_of_it(engine: Engine, tmp_path: Path, state: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("of the host")
    (tmp_path / "ro").mkdir()
    flags = ("-v", f"{tmp_path}/in:/v", "-v", f"{tmp_path}/ro:/r:ro")
    start(engine.docker, state, *flags)
    try:
        engine.docker("cp", f"{NAME}:/v/file", str(tmp_path / "out")).ok()
        assert (tmp_path / "out").read_text() == "of the host"
        engine.docker("cp", str(tmp_path / "out"), f"{NAME}:/v/back").ok()
        assert (tmp_path / "in" / "back").read_text() == "of the host"
        for client in (engine.docker, engine.own):
            refused = client("cp", str(tmp_path / "out"), f"{NAME}:/r/x")
            assert refused.code == 1
            assert "mounted volume is marked read-only" in refused.err
        assert os.listdir(tmp_path / "ro") == []
        hosts = subprocess.run(
            engine.docker.argv("cp", f"{NAME}:/etc/hosts", "-"),
            env=engine.docker.environment,
            capture_output=True,
            check=True,
        )
        assert b"localhost" in hosts.stdout
    finally:
        engine.docker("rm", "-f", NAME).ok()


def test_a_read_only_root_is_not_written(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    line = ("run", "-d", "--name", NAME, "--net", "none", "--read-only", "--tmpfs", "/t")
    engine.docker(*line, "busybox", "sleep", "1000").ok()
    try:
        for _ in range(2):
            refused = engine.docker("cp", str(tmp_path / "f"), f"{NAME}:/f")
            assert refused.code == 1
            assert "container rootfs is marked read-only" in refused.err
            engine.docker("cp", f"{NAME}:/etc/passwd", str(tmp_path / "out")).ok()
            engine.docker("stop", "-t", "0", NAME).ok()
    finally:
        engine.docker("rm", "-f", NAME).ok()


def test_as_the_containers_user(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    line = ("run", "-d", "--name", NAME, "--net", "none", "-u", "app", "busybox", "sleep", "1000")
    engine.docker(*line).ok()
    try:
        engine.docker("cp", "-a", str(tmp_path / "f"), f"{NAME}:/tmp/f").ok()
        assert engine.docker("exec", NAME, "stat", "-c", "%u:%g", "/tmp/f").ok() == "1000:1000"
    finally:
        engine.docker("rm", "-f", NAME).ok()


def test_a_hostile_container_leads_nowhere(engine: Engine, tmp_path: Path) -> None:
    """It swaps a directory for a link to the host's while files go in and out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text("the host's key")
    script = (
        f"mkdir -p /s/d; echo mine > /s/d/key; ln -s {outside} /s/l; echo up; "
        "while :; do mv /s/d /s/x; mv /s/l /s/d; mv /s/d /s/l; mv /s/x /s/d; done"
    )
    line = ("run", "-d", "--name", NAME, "--net", "none", "busybox", "sh", "-c", script)
    engine.docker(*line).ok()
    try:
        while "up" not in engine.docker("logs", NAME).ok():
            pass
        for _ in range(40):
            for path in ("/s", "/s/d", "/s/d/key"):
                assert b"the host's key" not in call(engine.docker, "GET", path)[2]
            call(engine.docker, "PUT", "/s/d", tar(("evil", FILE, b"1"), ("sub/e", FILE, b"1")))
        assert os.listdir(outside) == ["key"]
    finally:
        engine.docker("rm", "-f", NAME).ok()


def test_a_copy_from_a_stopped_container_leaves_it_free(ours: Engine) -> None:
    for _ in range(5):
        assert call(ours.docker, "HEAD", "/d")[0] == 200
        connection = Unix(ours.docker.socket)
        connection.request("GET", f"/containers/{NAME}/archive?path=/bin")
        connection.getresponse().read(10)  # and goes away in the middle
        connection.close()
    ours.docker("restart", "-t", "0", NAME).ok()


def test_events_tell_of_it(ours: Engine, tmp_path: Path) -> None:
    ours.docker("cp", f"{NAME}:/d/one", str(tmp_path / "x")).ok()
    ours.docker("cp", str(tmp_path / "x"), f"{NAME}:/d/copy").ok()
    told = ours.docker("events", "--since", "1m", "--until", "0s", "--format", "{{json .}}").out
    found = [json.loads(line) for line in told.splitlines()]
    paths = [each["Actor"]["Attributes"].get("path") for each in found]
    assert "archive-path" in [each["Action"] for each in found]
    assert "/d" in [path for path in paths if path]
