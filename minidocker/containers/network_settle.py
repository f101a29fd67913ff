"""The networks of a spec, found and checked: names become IDs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from minidocker.containers.container import Container
from minidocker.containers.network_spec import Attachment
from minidocker.containers.spec import ContainerSpec
from minidocker.errors import Forbidden, InvalidParameter, NotFound
from minidocker.networks.endpoints import check_address
from minidocker.networks.network import Network

FindNetwork = Callable[[str], Network]


def with_networks(spec: ContainerSpec, find: FindNetwork) -> ContainerSpec:
    """Raises ``InvalidParameter`` for a network that is not there, and what it cannot give.

    Not ``NotFound``: to that the docker command answers by pulling the image.
    """
    settled: list[Attachment] = []
    for each in spec.attachments:
        try:
            attachment = settle_attachment(each, find)
        except NotFound as error:
            raise InvalidParameter(str(error)) from error
        if any(other.network == attachment.network for other in settled):
            raise InvalidParameter(f"network {attachment.name} is named twice")
        settled.append(attachment)
    return replace(spec, attachments=tuple(settled))


def settle_attachment(asked: Attachment, find: FindNetwork) -> Attachment:
    """Raises ``NotFound``, ``InvalidParameter``."""
    network = find(asked.network)
    if network.is_default and (asked.ipv4 or asked.ipv6):
        raise InvalidParameter(
            "user specified IP address is supported on user defined networks only"
        )
    if network.is_default and asked.aliases:
        raise InvalidParameter(
            "network-scoped alias is supported only for containers in user defined networks"
        )
    for version, address in ((4, asked.ipv4), (6, asked.ipv6)):
        if not address:
            continue
        if not network.user_subnets:
            raise InvalidParameter(
                "user specified IP address is supported only when connecting to networks with "
                "user configured subnets"
            )
        check_address(network, version, address)
    return replace(asked, network=network.id, name=network.name)


def check_room(container: Container, added: Attachment) -> None:
    """That a container may be in one more.  Raises ``InvalidParameter``, ``Forbidden``."""
    name, mode = container.name, container.spec.network_mode
    if mode == "host":
        raise InvalidParameter(
            "container cannot be disconnected from host network or connected to host network"
        )
    if mode.startswith("container:"):
        raise InvalidParameter(
            "container sharing network namespace with another container or host cannot be "
            "connected to any other network"
        )
    if mode == "none":
        raise InvalidParameter(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode"
        )
    if any(each.network == added.network for each in container.spec.attachments):
        raise Forbidden(f"endpoint with name {name} already exists in network {added.name}")
