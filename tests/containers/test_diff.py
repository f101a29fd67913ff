"""``docker diff``: what it lists, and that dockerd lists the same."""

from __future__ import annotations

import pytest

from minidocker.layers.trees import remove_tree
from tests.containers.harness import Daemon
from tests.support.dockerd import Dockerd
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel


def test_nothing_of_the_engines_own_shows(engine: Engine) -> None:
    engine.docker("run", "--name", "clean", "--net", "none", "busybox", "true").ok()
    try:
        assert engine.docker("diff", "clean").ok() == ""
        assert engine.own("diff", "clean").ok() == ""
    finally:
        engine.docker("rm", "-f", "clean")


async def test_programs_can_see_that_they_are_in_a_container(daemon: Daemon) -> None:
    script = "cat /.dockerenv; readlink /etc/mtab"
    assert await daemon.run("sh", "-c", script) == (0, "/proc/mounts\n", "")


async def test_a_container_made_without_this_layer_goes_on(daemon: Daemon) -> None:
    id = daemon.create("test", "-e", "/.dockerenv")
    remove_tree(daemon.containers.directory(id) / "init")
    assert await daemon.end_of_next_run(id) == 0


SCRIPTS = {
    "nothing": "true",
    "added": "mkdir -p /a/b; echo 1 > /a/b/c; ln -s x /a/link; ln /a/b/c /a/hard; mkfifo /a/fifo",
    "changed": "echo 1 >> /etc/passwd; chmod 600 /etc/group; chmod 700 /home",
    "deleted": "rm /etc/passwd; rm -r /home",
    "replaced": "rm -r /home; mkdir /home; echo 1 > /home/new",
    "made and removed": "mkdir /z; echo 1 > /z/f; rm -r /z; touch /tmp/x; rm /tmp/x",
    "another kind": "rm /etc/passwd; mkdir /etc/passwd; rm -r /home; echo 1 > /home",
    "moved": "mv /home/app /var/app; mv /etc/group /etc/grp",
    "only read": "cat /etc/passwd > /dev/null; ls -R / > /dev/null",
    "engine's places": "echo 1 >> /etc/hosts; rm /.dockerenv; rm /etc/mtab; echo 1 > /etc/new",
    "opened only": "true >> /etc/passwd; chmod 644 /etc/group; touch -c -r /etc/group /etc/group",
    "touched directory": "touch -d 2001-01-01 /var; touch -d 2001-01-01 /etc",
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_what_dockerd_says(engine: Engine, dockerd: Dockerd, name: str) -> None:
    said = []
    for docker in (dockerd.docker, engine.docker):
        run = ("run", "--name", "differs", "--net", "none", "busybox", "sh", "-c", SCRIPTS[name])
        docker(*run).ok()
        try:
            said.append(sorted(docker("diff", "differs").ok().splitlines()))
        finally:
            docker("rm", "-f", "differs").ok()
    assert said[1] == said[0]


@pytest.mark.oracle
def test_it_is_the_same_while_it_runs_and_with_volumes(engine: Engine, dockerd: Dockerd) -> None:
    said = []
    for docker in (dockerd.docker, engine.docker):
        script = "echo 1 > /new; echo 2 > /on/volume; echo up; exec sleep 100"
        mount = ("--tmpfs", "/on", "-v", "/usr/share:/etc/shared/deep:ro")
        run = ("run", "-d", "--name", "differs", "--net", "none", *mount)
        docker(*run, "busybox", "sh", "-c", script).ok()
        try:
            while "up" not in docker("logs", "differs").ok():
                pass
            said.append(sorted(docker("diff", "differs").ok().splitlines()))
        finally:
            docker("rm", "-f", "differs").ok()
    assert said[1] == said[0]


def test_the_texts_of_both_clients(engine: Engine) -> None:
    for client in (engine.docker, engine.own):
        answer = client("diff", "no-such")
        assert (answer.code, answer.out) == (1, "")
        assert answer.err == "Error response from daemon: No such container: no-such\n"
