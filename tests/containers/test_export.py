"""``docker export``: the whole root, as dockerd packs it, also while a hostile container runs."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import DockerCli
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel

SCRIPT = """
mkdir -p /a/b; echo text > /a/b/c; ln /a/b/c /a/hard; ln -s /etc/passwd /a/link; mkfifo /a/fifo
chmod 4755 /a/b/c; chown app:wheel /a/b; rm /etc/group; rm -r /home; mkdir /home
touch /home/new; echo more >> /etc/passwd; echo own > /etc/hosts; echo gone > /on/tmpfs
mkdir -p /long; cd /long; touch $(printf %0200d 1)
"""


def exported(docker: DockerCli, name: str) -> bytes:
    argv = docker.argv("export", name)
    done = subprocess.run(argv, env=docker.environment, capture_output=True, check=True)
    return done.stdout


def listed(tar: bytes) -> dict[str, tuple[Any, ...]]:
    """What the archive says of every name; times of files that the image has only."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for each in archive:
            file = archive.extractfile(each) if each.isreg() else None
            content = hash(file.read()) if file else None
            kind = "file" if each.type in (tarfile.REGTYPE, tarfile.LNKTYPE) else each.type
            if each.islnk():
                assert each.linkname in found
                content = found[each.linkname][-1]
            link = each.linkname if each.issym() else ""
            mode = each.mode & 0o7777
            found[each.name] = (kind, mode, each.uid, each.gid, link, content)
    return found


@pytest.mark.oracle
@pytest.mark.parametrize("then", ["exit", "run"])
def test_it_is_the_tree_that_dockerd_exports(engine: Engine, dockerd: Dockerd, then: str) -> None:
    trees = []
    for docker in (dockerd.docker, engine.docker):
        last = "echo up" if then == "exit" else "echo up; exec sleep 100"
        run = (
            "run",
            "-d",
            "--name",
            "whole",
            "--net",
            "none",
            "--tmpfs",
            "/on",
            "-v",
            "/usr/share:/v",
        )
        docker(*run, "busybox", "sh", "-c", SCRIPT + last).ok()
        try:
            while "up" not in docker("logs", "whole").ok():
                pass
            if then == "exit":
                docker("wait", "whole").ok()
            trees.append(listed(exported(docker, "whole")))
        finally:
            docker("rm", "-f", "whole").ok()
    assert trees[1] == trees[0]


def test_our_client_writes_the_same_bytes(engine: Engine, tmp_path: Path) -> None:
    engine.docker("run", "--name", "whole", "--net", "none", "busybox", "touch", "/x").ok()
    try:
        target = tmp_path / "whole.tar"
        engine.own("export", "-o", str(target), "whole").ok()
        assert target.read_bytes() == exported(engine.docker, "whole")
        assert os.listdir(tmp_path) == ["whole.tar"]
        answer = engine.own("export", "-o", str(tmp_path / "no/such"), "whole")
        assert answer.code == 1
        assert "no such file or directory" in answer.err
        answer = engine.own("export", "-o", str(target), "none-such")
        assert answer.err == "Error response from daemon: No such container: none-such\n"
        assert os.listdir(tmp_path) == ["whole.tar"]
    finally:
        engine.docker("rm", "-f", "whole").ok()


def test_links_in_the_place_of_directories_lead_nowhere(engine: Engine, tmp_path: Path) -> None:
    """The container swaps a directory for a link to the host's while it is packed."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "inner").mkdir()
    (secret / "inner" / "key").write_text("the host's key")
    script = (
        f"mkdir -p /d/inner; echo mine > /d/inner/key; mkdir /x; ln -s {secret} /x/d; echo up; "
        "while :; do mv /d /x/old; mv /x/d /d; mv /d /x/d; mv /x/old /d; done"
    )
    engine.docker("run", "-d", "--name", "whole", "--net", "none", "busybox", "sh", "-c", script)
    try:
        while "up" not in engine.docker("logs", "whole").ok():
            pass
        for _ in range(10):
            assert b"the host's key" not in exported(engine.docker, "whole")
            assert engine.docker("diff", "whole").code == 0
    finally:
        engine.docker("rm", "-f", "whole").ok()
