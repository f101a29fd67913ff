"""The name service of containers: who asks, and what it may know."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from minidocker.containers.cables import Cable, names_of
from minidocker.containers.container import Container
from minidocker.containers.files import HostFiles, name_servers
from minidocker.containers.spec import ContainerSpec
from minidocker.containers.store import ContainerStore
from minidocker.errors import MinidockerError
from minidocker.networks.endpoints import EndpointStore
from minidocker.networks.names import Neighbour, Neighbourhood, View
from minidocker.networks.resolver import NameServer

FindCables = Callable[[Container], list[Cable]]


class Naming:
    """The event loop's thread owns it.  ``cables``: what a container has now."""

    def __init__(
        self, containers: ContainerStore, endpoints: EndpointStore, cables: FindCables
    ) -> None:
        self._containers, self._endpoints, self._cables = containers, endpoints, cables
        self._server = NameServer()

    async def serve(self, container: Container, sockets: Sequence[int]) -> None:
        """``sockets``: udp and tcp, made inside it; none when it asks nobody."""
        if sockets:
            udp, tcp = (socket.socket(fileno=fd) for fd in sockets)
            id = container.id
            await self._server.serve(id, udp, tcp, lambda: self._view(id))

    def serves(self, container: Container) -> bool:
        """Whether it has the sockets to ask."""
        return self._server.serves(container.id)

    async def stop(self, container: Container) -> None:
        await self._server.stop(container.id)

    async def close(self) -> None:
        await self._server.close()

    def renamed(self, container: Container) -> None:
        """The others call it by its new name from now on."""
        for cable in self._cables(container):
            if cable.endpoint.names:
                names = names_of(container, cable.attachment)
                self._endpoints.rename(cable.endpoint, names)

    def _view(self, id: str) -> View:
        """As things are now: asked for each question."""
        container = self._containers.now(id)
        if container is None:
            return View()
        servers = name_servers(HostFiles.read().resolv_conf)
        cables = self._cables(container)
        return view(container.spec, cables, self._endpoints, servers, self._name_of)

    def _name_of(self, ref: str) -> str:
        try:
            return self._containers.get(ref).name
        except MinidockerError:
            return ref


def view(
    spec: ContainerSpec,
    cables: Sequence[Cable],
    endpoints: EndpointStore,
    servers_of_host: Sequence[str],
    name_of: Callable[[str], str],
) -> View:
    """``cables``: of the container that asks.  ``servers_of_host``: who knows other names,
    unless the spec says who.  ``name_of``: what a container is called whose link says its ID.

    One that is in internal networks only hears of nobody outside.
    """
    named = [each for each in cables if not each.network.is_default]
    outside = any(not each.network.internal for each in cables)
    return View(
        networks=tuple(
            Neighbourhood(
                each.network.name,
                tuple(
                    Neighbour(other.names, tuple(address.ip for address in other.addresses))
                    for other in endpoints.all(network_id=each.network.id)
                ),
                links(each.attachment.links, name_of),
            )
            for each in named
        ),
        servers=tuple(spec.dns or servers_of_host) if outside else (),
        outward=not any(each.startswith("ndots:") for each in spec.dns_options),
    )


def links(asked: Sequence[str], name_of: Callable[[str], str]) -> dict[str, str]:
    """``NAME:ALIAS`` as {alias: name}; without an alias it is the name itself."""
    found = {}
    for each in asked:
        name, _, alias = each.strip("/").partition(":")
        found[(alias or name).rpartition("/")[2]] = name_of(name)
    return found
