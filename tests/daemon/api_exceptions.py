"""Where dockerd and the API's text part: keys the text does not know, null it does not allow.

What is here dockerd 20.10 was seen to do as well, unless the reason says otherwise.  Names are
dotted, and begin with a definition or an operation.
"""

from __future__ import annotations

from typing import Final


def _each(*names: str, of: str = "") -> dict[str, str]:
    return dict.fromkeys((f"{of}{name}" for name in names), "dockerd does so too")


UNDOCUMENTED: Final[dict[str, str]] = {
    **_each("EventMessage.status", "EventMessage.id", "EventMessage.from"),
    **_each("HostConfig.KernelMemory"),
}

NULL: Final[dict[str, str]] = {
    # Go's nil slices and maps, and its pointers.
    **_each("CapAdd", "CapDrop", "Dns", "DnsOptions", "DnsSearch", of="HostConfig."),
    **_each("Binds", "ExtraHosts", "GroupAdd", "Links", "PortBindings", of="HostConfig."),
    **_each("MaskedPaths", "ReadonlyPaths", "SecurityOpt", "VolumesFrom", of="HostConfig."),
    **_each("BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", of="HostConfig."),
    **_each("BlkioDeviceReadIOps", "BlkioDeviceWriteIOps", "Devices", of="HostConfig."),
    **_each("DeviceCgroupRules", "DeviceRequests", "Ulimits", of="HostConfig."),
    **_each("MemorySwappiness", of="HostConfig."),
    **_each("Cmd", "Entrypoint", "Env", "Volumes", of="ContainerConfig."),
    **_each("Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes", of="ImageConfig."),
    **_each("EndpointSettings.Aliases", "EndpointSettings.Links", "IPAM.Options"),
    **_each("ContainerChanges", "ContainerPruneResponse.ContainersDeleted"),
    **_each("ImagePruneResponse.ImagesDeleted", "ExecInspectResponse.ExitCode"),
    **_each("ImageHistory[].Tags", "SystemInfo.GenericResources", "SystemInfo.Warnings"),
    **_each("NetworkPruneResponse.NetworksDeleted"),
    **_each("ContainerBlkioStats.io_service_bytes_recursive"),  # of one that does not run
    **_each("PluginsInfo.Authorization"),
    **_each("VolumeListResponse.Warnings", "ContainerUpdateResponse.Warnings"),
    "EndpointSettings.DNSNames": "newer than dockerd 20.10: a slice of Go's as Aliases is",
}

# Operation -> what a message of its stream is, where the text says nothing or too little.
MESSAGES: Final = {"ImageCreate": "CreateImageInfo", "ImageLoad": "BuildInfo"}

# Statuses beside the documented ones.  400 is not here: any request can be nonsense.
STATUSES: Final[dict[tuple[str, int], str]] = {
    **dict.fromkeys(
        (
            *(("ContainerTop", 409), ("ContainerPause", 409), ("ContainerAttach", 409)),
            *(("ContainerResize", 409), ("ContainerStart", 409), ("ExecStart", 101)),
            ("ContainerAttachWebsocket", 409),
            *(("ImageGet", 404), ("ImageGetAll", 404), ("DistributionInspect", 404)),
        ),
        "dockerd does so too",
    ),
    ("ContainerUnpause", 409): "it is not paused: dockerd 20.10 says 500, which blames the engine",
    ("NetworkDisconnect", 409): "it is not connected: the same",
    ("ExecResize", 409): "it does not run: dockerd 20.10 waits for that",
    **dict.fromkeys(
        ((each, 503) for each in ("ImageCreate", "ImageSearch", "DistributionInspect")),
        "a registry cannot be reached: dockerd says 500, which blames the engine",
    ),
    ("SystemAuth", 503): "the same",
}

# Documented statuses that no request gets, and why.
NEVER: Final[dict[tuple[str, int], str]] = {
    ("SystemAuth", 204): "a login is answered with its status, by dockerd as well",
    ("SwarmLeave", 200): "there is no swarm to leave",
    ("ImageTag", 409): "a name may always be moved to another image",
    ("ContainerAttachWebsocket", 200): "without a web socket it is a bad request",
}
