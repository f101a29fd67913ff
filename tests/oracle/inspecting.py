"""Sessions of requests that look at containers of many kinds, in every state."""

from __future__ import annotations

from typing import Any

from tests.oracle.asked import Asked, get, post

MB = 1 << 20
SLEEP = ["sleep", "1000"]
INSPECT = get("/containers/$IT/json")
LIST = get('/containers/json?all=1&filters={"name":["$IT"]}')


def make(*command: str, host: Any = None, **config: Any) -> Asked:
    """The session's container."""
    body = {
        "Image": "busybox",
        "Cmd": list(command),
        **config,
        "HostConfig": {"NetworkMode": "none", **(host or {})},
    }
    return post("/containers/create?name=$IT", body)


def do(what: str) -> Asked:
    return post(f"/containers/$IT/{what}")


WAIT = do("wait")

INSPECTING: dict[str, tuple[Asked, ...]] = {
    "inspect: nothing asked": (make("true"), INSPECT, LIST),
    "inspect: sizes": (
        make("sh", "-c", "echo 12345 > /file"),
        do("start"),
        WAIT,
        get("/containers/$IT/json?size=1"),
        get('/containers/json?all=1&size=1&filters={"name":["$IT"]}'),
    ),
    "inspect: everything asked": (
        make(
            "a",
            "b c",
            "",
            Entrypoint=["sleep", "1000"],
            Hostname="box",
            Domainname="example.org",
            User="app",
            Env=["A=1", "B", "C="],
            Labels={"k": "v", "l": ""},
            WorkingDir="/tmp/./x/",
            ExposedPorts={"80/tcp": {}},
            StopSignal="INT",
            StopTimeout=0,
            Shell=["/bin/sh"],
            OnBuild=["RUN x"],
            OpenStdin=True,
            StdinOnce=True,
            AttachStdin=True,
            AttachStdout=True,
            Tty=True,
            Healthcheck={"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 2},
        ),
        INSPECT,
        LIST,
    ),
    "inspect: limits": (
        make(
            "true",
            host={
                "Memory": 64 * MB,
                "MemoryReservation": 32 * MB,
                "MemorySwappiness": 0,
                "OomKillDisable": True,
                "OomScoreAdj": 5,
                "CpuShares": 512,
                "CpuPeriod": 50000,
                "CpuQuota": 10000,
                "CpusetCpus": "0",
                "CpusetMems": "0",
                "PidsLimit": 9,
                "ShmSize": MB,
                "Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 9}],
                "CgroupParent": "/x",
            },
        ),
        INSPECT,
    ),
    "inspect: trust": (
        make(
            "true",
            host={
                "Privileged": True,
                "CapAdd": ["net_admin", "CAP_SYS_TIME"],
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": True,
                "GroupAdd": ["7"],
                "Devices": [
                    {
                        "PathOnHost": "/dev/null",
                        "PathInContainer": "/dev/x",
                        "CgroupPermissions": "r",
                    }
                ],
                "DeviceCgroupRules": ["c 1:3 r"],
                "Sysctls": {"kernel.msgmax": "4096"},
                "Init": True,
            },
        ),
        INSPECT,
    ),
    "inspect: namespaces": (
        make("true", host={"PidMode": "host", "IpcMode": "shareable", "UTSMode": "host"}),
        INSPECT,
    ),
    "inspect: the host's network": (
        make("true", host={"NetworkMode": "host"}),
        INSPECT,
        LIST,
    ),
    "inspect: mounts": (
        make(
            "true",
            host={
                "Binds": ["/etc:/a:ro", "/usr/lib:/b:rw,rprivate", "/usr:/c"],
                "Mounts": [
                    {"Type": "bind", "Source": "/etc", "Target": "/d", "ReadOnly": True},
                    {"Type": "tmpfs", "Target": "/e", "TmpfsOptions": {"SizeBytes": MB}},
                ],
                "Tmpfs": {"/f": "size=1m,mode=700"},
            },
        ),
        INSPECT,
    ),
    "inspect: names and lists": (
        make(
            "true",
            host={
                "Dns": ["192.0.2.1"],
                "DnsSearch": ["a.b"],
                "DnsOptions": ["ndots:2"],
                "ExtraHosts": ["x:192.0.2.2"],
                "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
                "AutoRemove": False,
                "MaskedPaths": ["/x"],
                "ReadonlyPaths": [],
                "ConsoleSize": [5, 6],
            },
        ),
        INSPECT,
    ),
    "inspect: a life": (
        make(*SLEEP, Labels={"k": "v"}),
        do("start"),
        INSPECT,
        LIST,
        do("pause"),
        INSPECT,
        LIST,
        do("unpause"),
        do("stop?t=0"),
        INSPECT,
        LIST,
        do("start"),
        do("kill"),
        WAIT,
        INSPECT,
    ),
    "inspect: a start that failed": (make("/no/such"), do("start"), INSPECT, LIST),
    "inspect: out of memory": (
        make("tail", "/dev/zero", host={"Memory": 16 * MB, "MemorySwap": 16 * MB}),
        do("start"),
        WAIT,
        INSPECT,
        LIST,
    ),
    "inspect: restarting": (
        make("sh", "-c", "exit 3", host={"RestartPolicy": {"Name": "always"}}),
        do("start"),
        get("/containers/$IT/json", until='"Restarting": true.*"RestartCount": 4'),
        LIST,
        do("stop"),
        INSPECT,
    ),
    "inspect: health": (
        make(*SLEEP, Healthcheck={"Test": ["CMD-SHELL", "echo fine"], "Interval": 3 * 10**9}),
        do("start"),
        INSPECT,
        LIST,
        get("/containers/$IT/json", until='"healthy"'),
        LIST,
        do("pause"),
        INSPECT,
        do("unpause"),
        do("kill"),
        WAIT,
        INSPECT,
    ),
    "inspect: no health": (
        make(*SLEEP, Healthcheck={"Test": ["CMD", "false"], "Interval": 10**9, "Retries": 1}),
        do("start"),
        get("/containers/$IT/json", until='"unhealthy"'),
        LIST,
        do("kill"),
        INSPECT,
    ),
    "inspect: health of nothing": (
        make(*SLEEP, Healthcheck={"Test": ["NONE"]}),
        do("start"),
        INSPECT,
    ),
}
