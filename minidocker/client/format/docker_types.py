"""Docker's Go types, as far as a template shows them: names, order, and what a zero looks like.

``docker inspect -f '{{.HostConfig.RestartPolicy}}'`` prints ``{no 0}``, and ``{{.State.Health}}``
of a container without a health check prints ``<nil>`` though JSON has no such key: a template
sees Go's structs, not JSON.  ``TYPES`` is those structs (moby, api/types): a field is
``Name``, ``Name(JsonName)`` where they differ, a ``?`` where JSON leaves out the empty one, and
``:type`` where it is no string.  ``+Name{...}`` is an embedded struct.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from minidocker.client.format.values import (
    Duration,
    Limit,
    Map,
    Member,
    Moment,
    NilList,
    NilPointer,
    Struct,
)

TYPES = {
    "container.InspectResponse": """
        ID(Id) Created Path Args:[]string State:*container.State Image ResolvConfPath HostnamePath
        HostsPath LogPath Name RestartCount:int Driver Platform MountLabel ProcessLabel
        AppArmorProfile ExecIDs:[]string HostConfig:*container.HostConfig
        GraphDriver:storage.DriverData SizeRw?:*int64 SizeRootFs?:*int64
        Mounts:[]container.MountPoint Config:*container.Config
        NetworkSettings:*container.NetworkSettings ImageManifestDescriptor?:*any""",
    "container.State": """
        Status Running:bool Paused:bool Restarting:bool OOMKilled:bool Dead:bool Pid:int
        ExitCode:int Error StartedAt FinishedAt Health?:*container.Health""",
    "container.Health": "Status FailingStreak:int Log:[]*container.HealthcheckResult",
    "container.HealthcheckResult": "Start:time End:time ExitCode:int Output",
    "container.HostConfig": """
        Binds:[]string ContainerIDFile LogConfig:container.LogConfig NetworkMode
        PortBindings:map[][]nat.PortBinding RestartPolicy:container.RestartPolicy AutoRemove:bool
        VolumeDriver VolumesFrom:[]string ConsoleSize:[]int Annotations?:map[]string
        CapAdd:[]string CapDrop:[]string CgroupnsMode DNS(Dns):[]string
        DNSOptions(DnsOptions):[]string DNSSearch(DnsSearch):[]string ExtraHosts:[]string
        GroupAdd:[]string IpcMode Cgroup Links:[]string OomScoreAdj:int PidMode Privileged:bool
        PublishAllPorts:bool ReadonlyRootfs:bool SecurityOpt:[]string StorageOpt?:map[]string
        Tmpfs?:map[]string UTSMode UsernsMode ShmSize:int64 Sysctls?:map[]string Runtime? Isolation
        +Resources{ CPUShares(CpuShares):int64 Memory:int64 NanoCPUs(NanoCpus):int64 CgroupParent
        BlkioWeight:uint16 BlkioWeightDevice:[]*blkiodev.WeightDevice
        BlkioDeviceReadBps:[]*blkiodev.ThrottleDevice BlkioDeviceWriteBps:[]*blkiodev.ThrottleDevice
        BlkioDeviceReadIOps:[]*blkiodev.ThrottleDevice
        BlkioDeviceWriteIOps:[]*blkiodev.ThrottleDevice CPUPeriod(CpuPeriod):int64
        CPUQuota(CpuQuota):int64 CPURealtimePeriod(CpuRealtimePeriod):int64
        CPURealtimeRuntime(CpuRealtimeRuntime):int64 CpusetCpus CpusetMems
        Devices:[]container.DeviceMapping DeviceCgroupRules:[]string
        DeviceRequests:[]container.DeviceRequest KernelMemory?:int64 KernelMemoryTCP?:int64
        MemoryReservation:int64 MemorySwap:int64 MemorySwappiness:*int64 OomKillDisable:*bool
        PidsLimit:*int64 Ulimits:[]*units.Ulimit CPUCount(CpuCount):int64
        CPUPercent(CpuPercent):int64 IOMaximumIOps:int64 IOMaximumBandwidth:int64 }
        Mounts?:[]mount.Mount MaskedPaths:[]string ReadonlyPaths:[]string Init?:*bool""",
    "container.LogConfig": "Type Config:map[]string",
    "container.RestartPolicy": "Name MaximumRetryCount:int",
    "container.DeviceMapping": "PathOnHost PathInContainer CgroupPermissions",
    "container.DeviceRequest": """
        Driver Count:int DeviceIDs:[]string Capabilities:[][]string Options:map[]string""",
    "units.Ulimit": "Name Hard:int64 Soft:int64",
    "blkiodev.WeightDevice": "Path Weight:uint16",
    "blkiodev.ThrottleDevice": "Path Rate:uint64",
    "nat.PortBinding": "HostIP(HostIp) HostPort",
    "mount.Mount": """
        Type? Source? Target? ReadOnly?:bool Consistency? BindOptions?:*mount.BindOptions
        VolumeOptions?:*mount.VolumeOptions ImageOptions?:*mount.ImageOptions
        TmpfsOptions?:*mount.TmpfsOptions ClusterOptions?:*any""",
    "mount.BindOptions": """
        Propagation? NonRecursive?:bool CreateMountpoint?:bool ReadOnlyNonRecursive?:bool
        ReadOnlyForceRecursive?:bool""",
    "mount.VolumeOptions": """
        NoCopy?:bool Labels?:map[]string Subpath? DriverConfig?:*mount.Driver""",
    "mount.Driver": "Name? Options?:map[]string",
    "mount.ImageOptions": "Subpath?",
    "mount.TmpfsOptions": "SizeBytes?:int64 Mode?:int Options?:[][]string",
    "container.MountPoint": """
        Type? Name? Source Destination Driver? Mode RW:bool Propagation""",
    "container.Config": """
        Hostname Domainname User AttachStdin:bool AttachStdout:bool AttachStderr:bool
        ExposedPorts?:map[]empty Tty:bool OpenStdin:bool StdinOnce:bool Env:[]string Cmd:[]string
        Healthcheck?:*v1.HealthcheckConfig ArgsEscaped?:bool Image Volumes:map[]empty WorkingDir
        Entrypoint:[]string NetworkDisabled?:bool MacAddress? OnBuild:[]string Labels:map[]string
        StopSignal? StopTimeout?:*int Shell?:[]string""",
    "v1.HealthcheckConfig": """
        Test?:[]string Interval?:duration Timeout?:duration StartPeriod?:duration
        StartInterval?:duration Retries?:int""",
    "empty": "",
    "container.NetworkSettings": """
        +NetworkSettingsBase{ Bridge SandboxID SandboxKey Ports:map[][]nat.PortBinding
        HairpinMode:bool LinkLocalIPv6Address LinkLocalIPv6PrefixLen:int
        SecondaryIPAddresses:[]network.Address SecondaryIPv6Addresses:[]network.Address }
        +DefaultNetworkSettings{ EndpointID Gateway GlobalIPv6Address GlobalIPv6PrefixLen:int
        IPAddress IPPrefixLen:int IPv6Gateway MacAddress }
        Networks:map[]*network.EndpointSettings""",
    "network.Address": "Addr PrefixLen:int",
    "network.EndpointSettings": """
        IPAMConfig:*network.EndpointIPAMConfig Links:[]string Aliases:[]string MacAddress
        DriverOpts:map[]string GwPriority:int NetworkID EndpointID Gateway IPAddress IPPrefixLen:int
        IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen:int DNSNames:[]string""",
    "network.EndpointIPAMConfig": "IPv4Address? IPv6Address? LinkLocalIPs?:[]string",
    "image.InspectResponse": """
        ID(Id) RepoTags:[]string RepoDigests:[]string Parent Comment Created? Container?
        ContainerConfig?:*container.Config DockerVersion Author Config:*v1.DockerOCIImageConfig
        Architecture Variant? Os OsVersion? Size:int64 VirtualSize?:int64
        GraphDriver:storage.DriverData RootFS:image.RootFS Metadata:image.Metadata
        Descriptor?:*any Manifests?:[]any""",
    "v1.DockerOCIImageConfig": """
        +ImageConfig{ User? ExposedPorts?:map[]empty Env?:[]string Entrypoint?:[]string
        Cmd?:[]string Volumes?:map[]empty WorkingDir? Labels?:map[]string StopSignal?
        ArgsEscaped?:bool }
        +DockerOCIImageConfigExt{ Healthcheck?:*v1.HealthcheckConfig OnBuild?:[]string
        Shell?:[]string }""",
    "storage.DriverData": "Data:map[]string Name",
    "image.RootFS": "Type? Layers?:[]string",
    "image.Metadata": "LastTagTime:time",
    "events.Message": """
        Status(status)? ID(id)? From(from)? Type Action Actor:events.Actor Scope(scope)?
        Time(time)?:int64 TimeNano(timeNano)?:int64""",
    "events.Actor": "ID Attributes:map[]string",
    "system.versionInfo": "Client:system.clientVersion Server:*types.Version",
    "system.clientVersion": """
        Version? APIVersion(ApiVersion)? DefaultAPIVersion? GitCommit? GoVersion? Os? Arch?
        BuildTime? Context""",
    "types.Version": """
        Platform:platform Components?:[]types.ComponentVersion Version APIVersion(ApiVersion)
        MinAPIVersion? GitCommit GoVersion Os Arch KernelVersion? Experimental?:bool BuildTime?""",
    "platform": "Name",
    "types.ComponentVersion": "Name Version Details?:map[]string",
    "system.dockerInfo": """
        ID Containers:int ContainersRunning:int ContainersPaused:int ContainersStopped:int
        Images:int Driver DriverStatus:[][]string SystemStatus?:[][]string
        Plugins:system.PluginsInfo MemoryLimit:bool SwapLimit:bool KernelMemory?:bool
        KernelMemoryTCP?:bool CPUCfsPeriod(CpuCfsPeriod):bool CPUCfsQuota(CpuCfsQuota):bool
        CPUShares:bool CPUSet:bool PidsLimit:bool IPv4Forwarding:bool Debug:bool NFd:int
        OomKillDisable:bool NGoroutines:int SystemTime LoggingDriver CgroupDriver CgroupVersion?
        NEventsListener:int KernelVersion OperatingSystem OSVersion OSType Architecture
        IndexServerAddress RegistryConfig:*registry.ServiceConfig NCPU:int MemTotal:int64
        GenericResources:[]any DockerRootDir HTTPProxy(HttpProxy) HTTPSProxy(HttpsProxy) NoProxy
        Name Labels:[]string ExperimentalBuild:bool ServerVersion
        Runtimes:map[]system.RuntimeWithStatus DefaultRuntime Swarm:swarm.Info
        LiveRestoreEnabled:bool Isolation InitBinary ContainerdCommit:system.Commit
        RuncCommit:system.Commit InitCommit:system.Commit SecurityOptions:[]string ProductLicense?
        DefaultAddressPools?:[]any FirewallBackend?:*any CDISpecDirs:[]string
        DiscoveredDevices?:[]any Containerd?:*any Warnings:[]string ServerErrors?:[]string UserName?
        ClientInfo?:*system.clientInfo ClientErrors?:[]string""",
    "system.PluginsInfo": "Volume:[]string Network:[]string Authorization:[]string Log:[]string",
    "registry.ServiceConfig": """
        AllowNondistributableArtifactsCIDRs?:[]string
        AllowNondistributableArtifactsHostnames?:[]string InsecureRegistryCIDRs:[]string
        IndexConfigs:map[]*registry.IndexInfo Mirrors:[]string ExtraFields?:map[]any""",
    "registry.IndexInfo": "Name Mirrors:[]string Secure:bool Official:bool",
    "system.RuntimeWithStatus": """
        +Runtime{ Path(path)? Args(runtimeArgs)?:[]string Type(runtimeType)?
        Options(options)?:map[]any } Status(status)?:map[]string""",
    "system.Commit": "ID Expected?",
    "swarm.Info": """
        NodeID NodeAddr LocalNodeState ControlAvailable:bool Error RemoteManagers:[]any Nodes?:int
        Managers?:int Cluster?:*any Warnings?:[]string""",
    "system.clientInfo": """
        Debug:bool +clientVersion{ Version? APIVersion(ApiVersion)? DefaultAPIVersion? GitCommit?
        GoVersion? Os? Arch? BuildTime? Context } Plugins:[]any Warnings:[]string""",
}

ZEROS: dict[str, Any] = {"string": "", "bool": False, "any": None}
ZEROS |= dict.fromkeys(("int", "int64", "uint16", "uint64"), 0)

FIELD = re.compile(
    r"(?P<name>\w+)(?:\((?P<key>\w+)\))?(?P<omit>\?)?(?::(?P<type>\S+))?"
    r"|\+(?P<inside>\w+)\{|(?P<close>\})"
)


@cache
def members(type: str) -> tuple[Member, ...]:
    """The fields of a struct in ``TYPES``."""
    found: list[Member] = []
    inside = ""
    for field in FIELD.finditer(TYPES[type]):
        name = field["name"]
        if name is None:
            inside = field["inside"] or ""
            continue
        key, of = field["key"] or name, field["type"] or "string"
        found.append(Member(name, key, of, bool(field["omit"]), inside))
    return tuple(found)


def typed(value: Any, type: str) -> Any:
    """A value of JSON as Go has it in a variable of ``type``; None: the key was not there."""
    if type.startswith("*"):
        if value is None:
            return NilPointer(type)
        target = typed(value, type[1:])
        if isinstance(target, Struct):
            target.pointer = True
        return target
    if type.startswith("[]"):
        return NilList() if value is None else [typed(each, type[2:]) for each in value]
    if type.startswith("map[]"):
        of = type[len("map[]") :]
        inside = {key: typed(each, of) for key, each in (value or {}).items()}
        return Map(inside, typed(None, of), nil=value is None)
    if type == "duration":
        return Duration(value or 0)
    if type == "time":
        return Moment(value or "0001-01-01T00:00:00Z")
    if type in ZEROS:
        return ZEROS[type] if value is None else value
    return _struct(value or {}, type)


def _struct(value: Mapping[str, Any], type: str) -> Struct:
    fields = members(type)
    kind = Limit if type == "units.Ulimit" else Struct
    return kind(type, fields, {each.name: typed(value.get(each.key), each.type) for each in fields})
