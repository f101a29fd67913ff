"""Networks and volumes: each operation with every documented status."""

from __future__ import annotations

from typing import Any

from tests.daemon.asking import Ask
from tests.daemon.replies import asks

GONE = "no-such-network"
UNKNOWN = {"nonsense": {"a": True}}


def network(ask: Ask, name: str, **more: Any) -> str:
    """The ID of a new network."""
    return str(ask("NetworkCreate", 201, {"Name": name, **more}).json["Id"])


@asks("NetworkList")
def listing(ask: Ask) -> None:
    ask.running(HostConfig={"NetworkMode": "host"})
    assert {each["Name"] for each in ask("NetworkList", 200).json} >= {"none", "host", "bridge"}
    ask("NetworkList", 400, filters=UNKNOWN)


@asks("NetworkInspect")
def inspect(ask: Ask) -> None:
    id = ask.running(HostConfig={"NetworkMode": "host"})
    assert id in ask("NetworkInspect", 200, id="host").json["Containers"]
    id = ask.running(HostConfig={"NetworkMode": "bridge"})
    assert id in ask("NetworkInspect", 200, id="bridge", verbose=1).json["Containers"]
    ask("NetworkInspect", 404, id=GONE)


@asks("NetworkCreate")
def create(ask: Ask) -> None:
    id = network(ask, "replies-create", Labels={"a": "b"}, Internal=True)
    assert ask("NetworkInspect", 200, id="replies-create").json["Id"] == id
    ask("NetworkCreate", 400, {"Name": ""})
    ask("NetworkCreate", 403, {"Name": "replies-host", "Driver": "host"})
    ask("NetworkCreate", 404, {"Name": "replies-driver", "Driver": "nonsense"})
    ask("NetworkDelete", 204, id=id)


@asks("NetworkDelete")
def delete(ask: Ask) -> None:
    ask("NetworkDelete", 204, id=network(ask, "replies-delete"))
    ask("NetworkDelete", 403, id="host")
    ask("NetworkDelete", 404, id=GONE)


@asks("NetworkConnect")
def connect(ask: Ask) -> None:
    id, joined = network(ask, "replies-connect"), ask.running(HostConfig={"NetworkMode": "bridge"})
    ask("NetworkConnect", 200, {"Container": joined, "EndpointConfig": {"Aliases": ["a"]}}, id=id)
    shown = ask("ContainerInspect", 200, id=joined).json["NetworkSettings"]["Networks"]
    assert shown.keys() == {"bridge", "replies-connect"}
    ask("ContainerList", 200)
    ask("NetworkConnect", 403, {"Container": joined}, id=id)
    ask("NetworkConnect", 404, {"Container": joined}, id=GONE)
    ask("NetworkConnect", 400, {"Container": 5}, id=id)
    alone = ask.container(HostConfig={"NetworkMode": "none"})
    ask("NetworkConnect", 400, {"Container": alone}, id=id)
    ask("NetworkDisconnect", 200, {"Container": joined}, id=id)
    ask("NetworkDelete", 204, id=id)


@asks("NetworkDisconnect")
def disconnect(ask: Ask) -> None:
    id = network(ask, "replies-disconnect")
    joined = ask.running(HostConfig={"NetworkMode": "replies-disconnect"})
    ask("NetworkDisconnect", 200, {"Container": joined, "Force": True}, id=id)
    ask("NetworkDisconnect", 404, {"Container": joined}, id=GONE)
    ask("NetworkDisconnect", 409, {"Container": joined}, id=id)
    ask("NetworkDisconnect", 403, {"Container": joined}, id="host")
    ask("ContainerDelete", 204, id=joined, force=1)
    ask("NetworkDelete", 204, id=id)


@asks("NetworkPrune")
def prune(ask: Ask) -> None:
    label = {"label": {"replies=prune": True}}
    ask("NetworkPrune", 200, filters=label)
    network(ask, "replies-prune", Labels={"replies": "prune"})
    assert ask("NetworkPrune", 200, filters=label).json["NetworksDeleted"] == ["replies-prune"]
    ask("NetworkPrune", 400, filters=UNKNOWN)


@asks("VolumeList")
def volumes(ask: Ask) -> None:
    ask("VolumeList", 200)
    ask("VolumeList", 400, filters=UNKNOWN)
