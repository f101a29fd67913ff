"""The life of containers: each operation with every status that is documented for it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from tests.daemon.asking import Ask
from tests.daemon.replies import asks

GONE = "no-such-container"
FULL: dict[str, Any] = {
    "Hostname": "full",
    "Domainname": "example.org",
    "User": "1000:1000",
    "Tty": True,
    "OpenStdin": True,
    "Env": ["A=1", "B"],
    "ExposedPorts": {"80/tcp": {}},
    "Entrypoint": ["sleep"],
    "WorkingDir": "/tmp",
    "Labels": {"a": "b"},
    "StopSignal": "SIGTERM",
    "StopTimeout": 1,
    "Shell": ["/bin/sh", "-c"],
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 2},
    "HostConfig": {
        "Binds": ["/usr:/host:ro,rprivate"],
        "Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/long", "ReadOnly": True}],
        "Tmpfs": {"/scratch": "size=1m"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["MKNOD"],
        "Dns": ["127.0.0.1"],
        "ExtraHosts": ["a:127.0.0.1"],
        "GroupAdd": ["10"],
        "OomScoreAdj": 10,
        "SecurityOpt": ["no-new-privileges"],
        "ShmSize": 1 << 20,
        "Sysctls": {"net.ipv4.ip_forward": "1"},
        "Devices": [
            {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}
        ],
        "DeviceCgroupRules": ["c 1:3 r"],
        "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 64}],
        "Init": True,
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "NanoCpus": 10**9,
        "CpuShares": 512,
        "PidsLimit": 50,
        "BlkioWeight": 300,
    },
}


def tar(**files: str) -> bytes:
    """A tar with some files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


@asks("ContainerList")
def listing(ask: Ask) -> None:
    ask.container(**FULL)
    ask.running("true")
    ask.running()
    assert len(ask("ContainerList", 200, all=1, size=1).json) >= 3
    ask("ContainerList", 200, filters={"label": {"a": True}}, all=1, limit=1)
    ask("ContainerList", 400, filters={"nonsense": {"a": True}})


@asks("ContainerCreate")
def create(ask: Ask) -> None:
    id = ask.container(name="replies-once")
    ask.container(**FULL)
    ask("ContainerCreate", 409, {"Image": "busybox"}, name="replies-once")
    ask("ContainerCreate", 404, {"Image": "nobody/has-this"})
    ask("ContainerCreate", 400, {"Image": ""})
    ask("ContainerCreate", 400, {"Image": "busybox", "Tty": "yes"}, name="replies-other")
    assert ask("ContainerInspect", 200, id=id).json["Name"] == "/replies-once"


@asks("ContainerInspect")
def inspect(ask: Ask) -> None:
    ask("ContainerInspect", 200, id=ask.container())
    full = ask.container("600", **FULL)
    ask("ContainerInspect", 200, id=full)
    ask("ContainerStart", 204, id=full)
    ask.exec_of(full)
    shown = ask("ContainerInspect", 200, id=full, size=1).json
    assert shown["State"]["Health"]["Status"] in ("starting", "healthy")
    ask("ContainerInspect", 200, id=ask.running("false"))
    ask("ContainerInspect", 200, id=ask.container(HostConfig={"NetworkMode": "host"}))
    ask("ContainerInspect", 200, id=ask.container(HostConfig={"NetworkMode": f"container:{full}"}))
    ask("ContainerInspect", 200, id=ask.container(HostConfig={"Privileged": True}))
    ask("ContainerInspect", 404, id=GONE)


@asks("ContainerChanges")
def changes(ask: Ask) -> None:
    id = ask.container("sh", "-c", "echo a >/tmp/a; rm /etc/group")
    ask("ContainerChanges", 200, id=id)
    ask("ContainerStart", 204, id=id)
    ask("ContainerWait", 200, id=id)
    kinds = {each["Path"]: each["Kind"] for each in ask("ContainerChanges", 200, id=id).json}
    assert (kinds["/tmp"], kinds["/tmp/a"], kinds["/etc/group"]) == (0, 1, 2)
    ask("ContainerChanges", 404, id=GONE)


@asks("ContainerTop")
def top(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerTop", 200, id=id)
    ask("ContainerTop", 200, id=id, ps_args="-o pid,cmd")
    ask("ContainerTop", 404, id=GONE)
    ask("ContainerTop", 409, id=ask.container())


@asks("ContainerStats")
def stats(ask: Ask) -> None:
    running = ask.running()
    ask("ContainerStats", 200, id=running, **{"stream": 0, "one-shot": 1})
    ask("ContainerStats", 200, id=running, stream=0)
    assert ask("ContainerStats", 200, enough=2, id=running).messages
    ask("ContainerStats", 200, id=ask.container(), stream=0)
    ask("ContainerStats", 404, id=GONE)


@asks("ContainerStart")
def start(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerStart", 304, id=id)
    ask("ContainerStart", 404, id=GONE)
    ask("ContainerStart", 400, id=ask.container("no-such-program"))


@asks("ContainerStop")
def stop(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerStop", 204, id=id, t=0)
    ask("ContainerStop", 304, id=id, signal="TERM")
    ask("ContainerStop", 404, id=GONE)


@asks("ContainerRestart")
def restart(ask: Ask) -> None:
    ask("ContainerRestart", 204, id=ask.running(), t=0)
    ask("ContainerRestart", 404, id=GONE)


@asks("ContainerKill")
def kill(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerKill", 204, id=id, signal="KILL")
    ask("ContainerWait", 200, id=id)
    ask("ContainerKill", 409, id=id)
    ask("ContainerKill", 404, id=GONE)
    ask("ContainerKill", 400, id=id, signal="NONSENSE")


@asks("ContainerPause")
def pause(ask: Ask) -> None:
    ask("ContainerPause", 204, id=ask.running())
    ask("ContainerPause", 409, id=ask.container())
    ask("ContainerPause", 404, id=GONE)


@asks("ContainerUnpause")
def unpause(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerPause", 204, id=id)
    assert ask("ContainerInspect", 200, id=id).json["State"]["Paused"]
    ask("ContainerUnpause", 204, id=id)
    ask("ContainerUnpause", 409, id=id)
    ask("ContainerUnpause", 404, id=GONE)


@asks("ContainerRename")
def rename(ask: Ask) -> None:
    id, other = ask.container(name="replies-before"), ask.container(name="replies-taken")
    ask("ContainerRename", 204, id=id, name="replies-after")
    ask("ContainerRename", 409, id=other, name="replies-after")
    ask("ContainerRename", 404, id=GONE, name="x")
    ask("ContainerRename", 400, id=id, name="/no/slashes")


@asks("ContainerUpdate")
def update(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerUpdate", 200, {"Memory": 64 << 20, "MemorySwap": 64 << 20}, id=id)
    ask("ContainerUpdate", 200, {"RestartPolicy": {"Name": "always"}}, id=id)
    ask("ContainerUpdate", 404, {"Memory": 64 << 20}, id=GONE)
    ask("ContainerUpdate", 400, {"Memory": "much"}, id=id)


@asks("ContainerPrune")
def prune(ask: Ask) -> None:
    label = {"label": {"replies=prune": True}}
    ask("ContainerPrune", 200, filters=label)
    id = ask.container(Labels={"replies": "prune"})
    assert ask("ContainerPrune", 200, filters=label).json["ContainersDeleted"] == [id]
    ask("ContainerPrune", 400, filters={"status": {"dead": True}})


@asks("ContainerDelete")
def delete(ask: Ask) -> None:
    id = ask.running()
    ask("ContainerDelete", 409, id=id)
    ask("ContainerDelete", 400, id=id, link=1)
    ask("ContainerDelete", 204, id=id, force=1, v=1)
    ask("ContainerDelete", 404, id=id)


@asks("ContainerArchiveInfo")
def archive_info(ask: Ask) -> None:
    id = ask.container()
    ask("ContainerArchiveInfo", 200, id=id, path="/etc/passwd")
    ask("ContainerArchiveInfo", 404, id=id, path="/no/such/file")
    ask("ContainerArchiveInfo", 404, id=GONE, path="/")
    ask("ContainerArchiveInfo", 400, id=id, path="")


@asks("ContainerArchive")
def archive(ask: Ask) -> None:
    id = ask.container()
    got = ask("ContainerArchive", 200, id=id, path="/etc/passwd")
    with tarfile.open(fileobj=io.BytesIO(got.body)) as found:
        assert found.getnames() == ["passwd"]
    ask("ContainerArchive", 404, id=id, path="/no/such/file")
    ask("ContainerArchive", 400, id=id, path="")


@asks("PutContainerArchive")
def put_archive(ask: Ask) -> None:
    id, files = ask.container(), tar(a="text")
    kind = "Content-Type: application/x-tar\r\n"
    ask("PutContainerArchive", 200, files, more=kind, id=id, path="/tmp")
    assert b"text" in ask("ContainerArchive", 200, id=id, path="/tmp/a").body
    ask("PutContainerArchive", 400, files, more=kind, id=id, path="/etc/passwd")
    ask("PutContainerArchive", 400, b"no tar", more=kind, id=id, path="/tmp")
    ask("PutContainerArchive", 404, files, more=kind, id=id, path="/no/such/folder")
    locked = ask.container(HostConfig={"ReadonlyRootfs": True})
    ask("PutContainerArchive", 403, files, more=kind, id=locked, path="/tmp")


@asks("ContainerExport")
def export(ask: Ask) -> None:
    got = ask("ContainerExport", 200, id=ask.container())
    with tarfile.open(fileobj=io.BytesIO(got.body)) as found:
        assert "etc/passwd" in found.getnames()
    ask("ContainerExport", 404, id=GONE)


@asks("ImageCommit")
def commit(ask: Ask) -> None:
    id = ask.running("sh", "-c", "echo a >/a; sleep 600")
    made = ask("ImageCommit", 201, container=id, repo="replies/commit", tag="1", author="me")
    shown = ask("ImageInspect", 200, name="replies/commit:1")
    assert shown.json["Id"] == made.json["Id"]
    changed = ["ENV A=1", "HEALTHCHECK --interval=5s CMD true", "EXPOSE 80", "VOLUME /v"]
    body = {"Labels": {"a": "b"}}
    ask("ImageCommit", 201, body, container=id, repo="replies/commit", tag="2", changes=changed)
    config = ask("ImageInspect", 200, name="replies/commit:2").json["Config"]
    assert json.dumps(config["Labels"]) == '{"a": "b"}'
    ask("ImageCommit", 404, container=GONE)
    ask("ImageCommit", 400, container=id, repo="NOT LOWER")
    for tag in "12":
        ask("ImageDelete", 200, name=f"replies/commit:{tag}", force=1)
