"""Sessions of requests that make containers of wrong, odd and contradicting values."""

from __future__ import annotations

from typing import Any

from tests.oracle.asked import Asked, config, create, post

MB = 1 << 20
DISK = "/dev/no-such-disk"


def log(driver: str, **options: str) -> Asked:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return create(LogConfig={"Type": driver, "Config": named})


def restart(name: str, retries: int = 0, **host: Any) -> Asked:
    return create(RestartPolicy={"Name": name, "MaximumRetryCount": retries}, **host)


def ulimit(name: str, soft: int, hard: int) -> Asked:
    return create(Ulimits=[{"Name": name, "Soft": soft, "Hard": hard}])


CREATING: dict[str, tuple[Asked, ...]] = {
    "memory that cannot be": (
        create(Memory=-5),
        create(Memory=1),
        create(Memory=1.5),
        create(Memory="64m"),
        create(Memory=10**20),
        create(Memory=64 * MB, MemoryReservation=128 * MB),
        create(MemoryReservation=1),
        create(MemoryReservation=-1),
        create(MemorySwap=64 * MB),
        create(MemorySwap=-1),
        create(Memory=64 * MB, MemorySwap=32 * MB),
        create(Memory=64 * MB, MemorySwap=-1),
        create(Memory=64 * MB, MemorySwap=-2),
        create(MemorySwappiness=101),
        create(MemorySwappiness=-2),
        create(OomKillDisable=True),
        create(OomKillDisable=True, Memory=64 * MB),
        create(OomScoreAdj=1001),
        create(OomScoreAdj=-1001),
        create(ShmSize=-1),
        create(KernelMemoryTCP=MB),
    ),
    "processors that cannot be": (
        create(CpuShares=-1),
        create(CpuShares=1),
        create(CpuPeriod=999),
        create(CpuPeriod=1_000_001),
        create(CpuQuota=999),
        create(CpuQuota=-1),
        create(NanoCpus=-1),
        create(NanoCpus=10**12),
        create(NanoCpus=10**9, CpuQuota=5000),
        create(NanoCpus=10**9, CpuPeriod=5000),
        create(CpusetCpus="99"),
        create(CpusetCpus="x"),
        create(CpusetCpus="1-0"),
        create(CpusetMems="9"),
        create(PidsLimit=-7),
        create(PidsLimit=0),
        create(CpuPercent=1),
        create(IOMaximumIOps=1),
    ),
    "disks that cannot be": (
        create(BlkioWeight=5),
        create(BlkioWeight=-1),
        create(BlkioDeviceReadBps=[{"Path": DISK, "Rate": 100}]),
        create(BlkioDeviceReadBps=[{"Path": DISK, "Rate": -1}]),
        create(StorageOpt={"size": "1G"}),
    ),
    "restart policies that cannot be": (
        restart("nope"),
        restart("Always"),
        restart("always", 3),
        restart("no", 1),
        restart("on-failure", -1),
        restart("always", AutoRemove=True),
        restart("no", AutoRemove=True),
    ),
    "logs that cannot be": (
        log("json-file", nope="1"),
        log("json-file", max_size="x"),
        log("json-file", max_file="0"),
        log("json-file", max_file="x"),
        log("json-file", max_file="3"),
        log("json-file", max_size="1m", max_file="1", compress="true"),
        log("json-file", compress="x"),
        log("json-file", mode="x"),
        log("json-file", mode="non-blocking", max_buffer_size="x"),
        log("json-file", max_buffer_size="1m"),
        log("json-file", mode="non-blocking", max_buffer_size="1m"),
        log("json-file", env_regex="("),
        log("json-file", labels="a,b", env="C", tag="{{.Name}}", labels_regex="^x"),
        log("json-file", tag="{{.Nope}}"),
        log("json-file", tag="{{"),
        log("local", nope="1"),
        log("local", max_size="x"),
        log("local", max_file="0"),
        log("local", compress="x"),
        log("local", labels="x"),
        log("local", max_size="1m", max_file="2", compress="false"),
        log("none", nope="1"),
    ),
    "namespaces that cannot be": (
        create(CgroupnsMode="nope"),
        create(UsernsMode="nope"),
        create(UTSMode="nope"),
        create(PidMode="nope"),
        create(PidMode="container:nobody"),
        create(IpcMode="nope"),
        create(IpcMode="container:nobody"),
        create(NetworkMode="container:"),
        create(Isolation="hyperv"),
        create(Isolation="default"),
        create(CgroupParent="../.."),
    ),
    "trust that cannot be": (
        create(CapAdd=["NOPE"]),
        create(CapAdd=["net_admin"], CapDrop=["all"]),
        create(SecurityOpt=["nope"]),
        create(SecurityOpt=["nope=x"]),
        create(SecurityOpt=["no-new-privileges=x"]),
        create(Sysctls={"nope": "1"}),
        ulimit("nope", 1, 1),
        ulimit("nofile", 10, 1),
        ulimit("nofile", -1, -1),
        create(Devices=[{"PathOnHost": "/dev/nope", "PathInContainer": "/dev/x"}]),
        create(DeviceCgroupRules=["c 1:3"]),
        create(DeviceRequests=[{"Count": -1, "Capabilities": [["gpu"]]}]),
    ),
    "mounts that cannot be": (
        create(Tmpfs={"x": ""}),
        create(Tmpfs={"/": ""}),
        create(Binds=["/etc:x"]),
        create(Binds=["/etc:/"]),
        create(Binds=["/etc:/x:nope"]),
        create(Binds=["/etc:/x:ro,rw"]),
        create(Binds=["/etc:/x", "/tmp:/x"]),
        create(Mounts=[{"Type": "nope", "Target": "/x"}]),
        create(Mounts=[{"Type": "bind", "Target": "/x"}]),
        create(Mounts=[{"Type": "bind", "Target": "/x", "Source": "/no/such"}]),
        create(Mounts=[{"Type": "bind", "Target": "/x", "Source": "rel"}]),
        create(Mounts=[{"Type": "tmpfs", "Target": "/x", "Source": "/y"}]),
        create(Mounts=[{"Type": "tmpfs", "Target": ""}]),
        create(
            Mounts=[{"Type": "bind", "Target": "/x", "Source": "/etc", "TmpfsOptions": {"Mode": 1}}]
        ),
        create(Mounts=[{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": -1}}]),
    ),
    "a config that cannot be": (
        config(WorkingDir="rel"),
        config(Env=["=x"]),
        config(Env=[""]),
        config(StopSignal="NOPE"),
        config(StopTimeout=-1),
        config(Healthcheck={"Interval": 1}),
        config(Healthcheck={"Retries": -1}),
        config(Healthcheck={"Test": ["NOPE"]}),
        config(Healthcheck={"Test": ["CMD"]}),
        config(Cmd=None),
        config(Cmd=[], Entrypoint=[]),
        config(Image=""),
        config(Image="Bad Name"),
        config(Image="no-such-image"),
        config(Labels={"": "x"}),
        post("/containers/create?name=-bad", {"Image": "busybox"}),
        post("/containers/create?name=a", {"Image": "busybox"}),
        post("/containers/create"),
        post("/containers/create", []),
        post("/containers/create", {}),
    ),
}
