"""Log drivers and their options, with containers that write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from minidocker.containers.spec import LogConfig
from minidocker.errors import Unimplemented
from tests.containers.harness import Daemon
from tests.support.engine import Engine

pytestmark = pytest.mark.kernel

LINES = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done"


def log(daemon: Daemon, id: str) -> dict[str, bytes]:
    """Name -> what the daemon keeps of the container's output."""
    files = daemon.containers.directory(id).glob("*-json.log*")
    return {path.name.partition("-json.")[2]: path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("driver", "options", "names", "size"),
    [
        ("json-file", {}, {"log"}, 1 << 20),
        ("json-file", {"max-size": "10k"}, {"log"}, 10240),
        ("json-file", {"max-size": "10k", "max-file": "3"}, {"log", "log.1", "log.2"}, 10240),
        (
            "local",
            {"max-size": "10k", "max-file": "3", "compress": "false"},
            {"log", "log.1", "log.2"},
            10240,
        ),
        ("json-file", {"mode": "non-blocking", "max-buffer-size": "1m"}, {"log"}, 1 << 20),
    ],
)
async def test_a_driver_keeps_what_its_options_say(
    daemon: Daemon, driver: str, options: dict[str, str], names: set[str], size: int
) -> None:
    id = daemon.create("sh", "-c", LINES, log=LogConfig(driver, options))
    assert await daemon.end_of_next_run(id) == 0
    found = log(daemon, id)
    assert found.keys() == names
    assert all(len(each) <= size for each in found.values())
    lines = (await daemon.log(id)).splitlines()
    assert lines == [f"line {number}" for number in range(500 - len(lines), 500)]
    if size == 1 << 20:
        assert len(lines) == 500


async def test_older_files_are_compressed_and_read_all_the_same(daemon: Daemon) -> None:
    options = LogConfig("local", {"max-size": "10k", "max-file": "9"})
    id = daemon.create("sh", "-c", LINES, log=options)
    assert await daemon.end_of_next_run(id) == 0
    # The last rotation's may not have been finished; a second run takes them along.
    assert await daemon.end_of_next_run(id) == 0
    found = log(daemon, id)
    packed = [data for name, data in found.items() if name.endswith(".gz")]
    assert len(packed) >= 5
    assert all(gzip.decompress(data).endswith(b'Z"}\n') for data in packed)
    assert (await daemon.log(id)).splitlines() == [f"line {number}" for number in range(500)] * 2
    for tail in (1, 400, 700):
        said = (await daemon.log(id, tail=tail)).splitlines()
        assert said == ([f"line {number}" for number in range(500)] * 2)[-tail:]


async def test_lines_carry_labels_variables_and_a_tag(daemon: Daemon) -> None:
    options = {"labels": "tier", "env": "MODE", "tag": "{{.Name}}"}
    how: dict[str, Any] = {"labels": {"tier": "front"}, "environment": ("MODE=x y",)}
    id = daemon.create("echo", "hi", name="it", log=LogConfig("json-file", options), **how)
    await daemon.end_of_next_run(id)
    (entry,) = log(daemon, id)["log"].splitlines()
    wanted = {"MODE": "x y", "tag": "it", "tier": "front"}
    assert json.loads(entry)["attrs"] == wanted
    read = [line async for lines in daemon.containers.logs(id) for line in lines]
    assert [line.attributes for line in read] == [wanted]


async def test_without_a_log_there_is_nothing_to_read(daemon: Daemon) -> None:
    id = daemon.create("echo", "hi", log=LogConfig("none"))
    await daemon.end_of_next_run(id)
    assert log(daemon, id) == {}
    with pytest.raises(Unimplemented, match="configured logging driver does not support reading"):
        daemon.containers.logs(id)


@pytest.mark.parametrize("compress", ["false", "true"])
async def test_who_follows_a_fast_writer_through_many_files_misses_nothing(
    daemon: Daemon, compress: str
) -> None:
    """As long as the files are there, however far behind the reader may be."""
    count = 300_000
    options = {"max-size": "1m", "max-file": "60", "compress": compress}
    id = await daemon.start("seq", str(count), log=LogConfig("json-file", options))
    said = b"".join(
        [line.data async for lines in daemon.containers.logs(id, follow=True) for line in lines]
    )
    assert said == b"".join(b"%d\n" % number for number in range(1, count + 1))
    assert len(log(daemon, id)) > 20


async def test_a_follower_leaves_with_the_run_that_it_followed(daemon: Daemon) -> None:
    """As with Docker; what the next run says comes after it in the same log."""
    id = daemon.create("sh", "-c", "seq 3")
    said = []
    for _ in range(2):
        await daemon.end_of_next_run(id)
        said.append(await daemon.log(id, follow=True))
    assert said == ["1\n2\n3\n", "1\n2\n3\n" * 2]


def test_who_follows_again_after_a_daemons_death_reads_what_was_said_meanwhile(
    new_engine: Callable[..., Engine],
) -> None:
    engine = new_engine()
    engine.docker("pull", "--quiet", "busybox").ok()
    script = "n=0; while [ ! -e /stop ]; do echo $n; n=$((n+1)); sleep 0.01; done; echo end"
    engine.docker("run", "-d", "--name", "it", "--net", "none", "busybox", "sh", "-c", script).ok()
    with engine.docker.popen("logs", "-f", "it") as follower:
        assert follower.stdout is not None
        first = [follower.stdout.readline() for _ in range(5)]
        engine.kill()
        first += follower.stdout.read().splitlines(keepends=True)
    engine.start()
    with engine.docker.popen("logs", "-f", "it") as follower:
        assert follower.stdout is not None
        again = [follower.stdout.readline() for _ in range(len(first) + 5)]
        engine.docker("exec", "it", "touch", "/stop").ok()
        again += follower.stdout.read().splitlines(keepends=True)
    assert again[: len(first)] == first
    assert again == [b"%d\n" % number for number in range(len(again) - 1)] + [b"end\n"]
