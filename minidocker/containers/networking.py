"""Containers in networks: addresses and bridges before a start, names and ports while it
runs, and all of it given back at the end.

What a running container has is in the records (``networks/store.py``) before it is in the
kernel, and leaves them after: so a daemon that was killed finds what there is to undo.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from minidocker.containers import cables as wishes
from minidocker.containers.cables import Cable
from minidocker.containers.container import Container
from minidocker.containers.events import EventBus
from minidocker.containers.launch import Places
from minidocker.containers.naming import Naming
from minidocker.containers.network_spec import Attachment
from minidocker.containers.publishing import Publishing
from minidocker.containers.rewiring import rewire
from minidocker.containers.store import ContainerStore
from minidocker.errors import Conflict, MinidockerError, NotFound, SystemFailure
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step, StepFailed, perform
from minidocker.networks import bridges
from minidocker.networks.endpoints import EndpointStore
from minidocker.networks.firewall import Firewall, forget_flows
from minidocker.networks.network import (
    BRIDGE_NAME,
    DEFAULT,
    DEFAULT_BRIDGE,
    HOST_BINDING,
    ICC,
    MASQUERADE,
    MTU,
    Endpoint,
    Network,
)
from minidocker.networks.store import NetworkStore, Wanted
from minidocker.networks.subnets import Address, overlap

log = logging.getLogger(__name__)

Done = Callable[[Step, int, int], None]


class Networking:
    """The event loop's thread owns it."""

    def __init__(
        self,
        networks: NetworkStore,
        endpoints: EndpointStore,
        firewall: Firewall,
        events: EventBus,
        places: Places,
        bridge: str,
        containers: ContainerStore,
    ) -> None:
        """``bridge``: the interface of the default network."""
        self.networks, self.endpoints = networks, endpoints
        self._firewall, self._events, self._places = firewall, events, places
        self._bridge = bridge  # of the default network
        self._containers = containers
        self.naming = Naming(containers, endpoints, self.cables)
        self._publishing = Publishing(networks, endpoints, places)
        self._changing = asyncio.Lock()  # of bridges and rules

    # A start

    def plan(self, container: Container) -> tuple[list[Step], dict[str, Any]]:
        """The daemon's steps of a start and the request's ``network``; nothing happens."""
        cables = []
        for attachment in container.spec.attachments:
            network = self.networks.get(attachment.network)
            joining = wishes.joining(container, attachment, network)
            cables.append(Cable(network, self.endpoints.proposed(network, joining), attachment))
        steps = [step for each in cables for step in bridges.bridge_steps(each.network)]
        return steps, _request(cables)

    async def plug(self, container: Container, done: Done) -> dict[str, Any]:
        """Addresses, ports, bridges and rules; the request's ``network``, for init to use.

        ``done`` hears of each step.  Raises ``MinidockerError``; ``unplug`` takes back what
        was made until then.
        """
        if not container.spec.attachments:
            return {}
        for attachment in container.spec.attachments:
            network = self._in_nobodys_way(self._network(attachment))
            self.endpoints.join(network, wishes.joining(container, attachment, network))
        cables = self.cables(container)
        self._publishing.take(container, cables)
        await self._prepare(cables, done)
        return _request(cables)

    def _network(self, attachment: Attachment) -> Network:
        try:
            return self.networks.get(attachment.network)
        except NotFound as error:
            raise NotFound(f"network {attachment.network} not found") from error

    def _in_nobodys_way(self, network: Network) -> Network:
        """Before the default network's bridge is made: with a subnet that is still free.

        Its record is older than the bridge, and other programs make networks too.
        """
        if not network.is_default or bridges.exists(network.bridge):
            return network
        if self.endpoints.all(network_id=network.id):
            return network
        with RouteSocket() as here:
            used = here.routes()
        if any(overlap(each.network, other) for each in network.subnets for other in used):
            return self.networks.resettle(network, used)
        return network

    async def _prepare(self, cables: Sequence[Cable], done: Done) -> None:
        """The bridges and rules that are missing: none, most of the time."""
        async with self._changing:
            steps = [step for each in cables for step in bridges.bridge_steps(each.network)]
            steps += self._rules({each.network.bridge for each in cables})
            if steps:
                try:
                    await asyncio.to_thread(perform, steps, done)
                except StepFailed as failed:
                    raise SystemFailure(f"{failed.step.describe()}: {failed.error}") from failed

    def _rules(self, coming: Collection[str] = ()) -> list[Step]:
        """``coming``: bridges that are about to be made."""
        networks = [
            each
            for each in self.networks.all()
            if each.bridge in coming or bridges.exists(each.bridge)
        ]
        return self._firewall.steps(networks, self._publishing.rules())

    def host_lines(self, container: Container, hostname: str) -> list[tuple[str, str]]:
        """(address, names) for its /etc/hosts: its links on the default network, and itself.

        Raises ``Conflict`` for a link to a container that is not there.
        """
        spec, cables = container.spec, self.cables(container)
        full = f"{hostname}.{spec.domainname} {hostname}" if spec.domainname else hostname
        linked = [self._linked(container, each) for each in spec.links]
        own = [(str(one.ip), full) for each in cables for one in each.endpoint.addresses]
        return linked + own

    def _linked(self, container: Container, link: str) -> tuple[str, str]:
        """``NAME:ALIAS`` as a line of the hosts file."""
        name, _, alias = link.strip("/").partition(":")
        alias = (alias or name).rpartition("/")[2]
        other = self._containers.get(name)
        for cable in self.cables(other):
            if cable.network.is_default and cable.endpoint.ipv4:
                return str(cable.endpoint.ipv4.ip), f"{alias} {other.short_id} {other.name}"
        raise Conflict(
            f"Cannot link to a non running container: /{other.name} AS /{container.name}/{alias}"
        )

    def host_gateway(self) -> str:
        """The machine's address as containers see it."""
        default = self._default()
        return str(next(each.ip for each in default.gateways() if each.version == 4))

    # While it runs

    def cables(self, container: Container) -> list[Cable]:
        """What it has now, in the order of its interfaces."""
        attachments = {each.network: each for each in container.spec.attachments}
        return [
            Cable(self.networks.get(each.network_id), each, attachments[each.network_id])
            for each in self.endpoints.all(container_id=container.id)
            if each.network_id in attachments
        ]

    async def plugged(self, container: Container, pidfd: int, sockets: Sequence[int]) -> None:
        """It runs: answer its questions for names, carry what comes to its ports."""
        cables = self.cables(container)
        for cable in cables:
            self._tell("connect", cable.network, container)
        await self.naming.serve(container, sockets)
        await self._publishing.carry(container, cables, pidfd)

    async def unplug(self, container: Container) -> None:
        """It has ended, or could not be started."""
        await self.naming.stop(container)
        cables = self.cables(container)
        published = await self._publishing.give_back(container)
        gone = self.endpoints.all(container_id=container.id)
        for endpoint in gone:
            self.endpoints.leave(endpoint)
        if published:
            await self._apply()
            await asyncio.to_thread(forget_flows, _addresses(gone))
        for cable in cables:
            self._tell("disconnect", cable.network, container)

    async def _apply(self) -> None:
        """Make the rules say what the records say; what fails is said in the log."""
        async with self._changing:
            steps = self._rules()
            try:
                await asyncio.to_thread(perform, steps)
            except StepFailed as failed:
                log.error("%s: %s", failed.step.describe(), failed.error)

    async def connect(
        self, container: Container, attachment: Attachment, pidfd: int | None
    ) -> None:
        """Plug a running container (``pidfd``) into one more network.

        ``container`` has the attachment already.  Raises ``MinidockerError``; then it has no
        interface more.
        """
        if pidfd is None:
            return
        network = self._network(attachment)
        endpoint = self.endpoints.join(network, wishes.joining(container, attachment, network))
        try:
            await self._prepare([Cable(network, endpoint, attachment)], lambda *step: None)
            cables = self.cables(container)
            new = [wishes.interface(each) for each in cables if each.endpoint == endpoint]
            sockets = await rewire(
                self._places.launcher,
                pidfd,
                plug=new,
                gateways=wishes.gateways(cables),
                names=wishes.has_names(cables) and not self.naming.serves(container),
            )
        except (MinidockerError, OSError):
            self.endpoints.leave(endpoint)
            bridges.remove_cables([endpoint.host_interface])
            raise
        await self.naming.serve(container, sockets)
        self._tell("connect", network, container)

    async def disconnect(self, container: Container, network: Network, pidfd: int | None) -> None:
        """Unplug it from the network; where all else goes to, if that went there, is another."""
        cables = self.cables(container)
        gone = [each for each in cables if each.network.id == network.id]
        if not gone:
            return
        left = [each for each in cables if each not in gone]
        bridges.remove_cables(each.endpoint.host_interface for each in gone)
        gateways = wishes.gateways(left)
        if pidfd is not None and gateways:
            await rewire(self._places.launcher, pidfd, gateways=gateways)
        for cable in gone:
            self.endpoints.leave(cable.endpoint)
        if pidfd is not None:
            await self._publishing.move(container, left, pidfd)
        await self._apply()
        await asyncio.to_thread(forget_flows, _addresses(each.endpoint for each in gone))
        self._tell("disconnect", network, container)

    async def resume(self, container: Container, pidfd: int) -> None:
        """It ran while there was no daemon, and nobody answered its questions for names."""
        cables = self.cables(container)
        if wishes.has_names(cables):
            gateways = wishes.gateways(cables)
            sockets = await rewire(self._places.launcher, pidfd, gateways=gateways, names=True)
            await self.naming.serve(container, sockets)

    # The engine's start and end

    async def reconcile(self, running: Collection[str]) -> None:
        """Make the records, the bridges and the rules true for the containers that run."""
        self._default()
        for endpoint in self.endpoints.all():
            if endpoint.container_id not in running:
                self.endpoints.leave(endpoint)
        for port in self.endpoints.published():
            if port.container_id not in running:
                self.endpoints.unpublish(port.container_id)
        plugged = {each.host_interface for each in self.endpoints.all()}
        for network in self.networks.all():
            with contextlib.suppress(OSError):
                bridges.remove_cables(set(bridges.cables(network)) - plugged)
        await self._apply()

    def _default(self) -> Network:
        """The network that is there from the start."""
        with contextlib.suppress(NotFound):
            return self.networks.get(DEFAULT)
        options = {
            DEFAULT_BRIDGE: "true",
            ICC: "true",
            MASQUERADE: "true",
            HOST_BINDING: "0.0.0.0",
            BRIDGE_NAME: self._bridge,
            MTU: "1500",
        }
        with RouteSocket() as here:
            return self.networks.create(Wanted(DEFAULT, options=options), here.routes())

    async def close(self) -> None:
        """The daemon ends: what no container uses goes; what runs goes on."""
        await self.naming.close()
        async with self._changing:
            for network in self.networks.all():
                if not self.endpoints.all(network_id=network.id):
                    with contextlib.suppress(OSError):
                        bridges.remove_bridge(network)
        await self._apply()

    async def remove(self, network: Network) -> None:
        """Raises ``Forbidden`` while containers are in it."""
        self.networks.remove(network)
        async with self._changing:
            bridges.remove_bridge(network)
        await self._apply()
        self._events.publish("network", "destroy", network.id, _attributes(network))

    def create(self, wanted: Wanted) -> Network:
        """See ``NetworkStore.create``."""
        with RouteSocket() as here:
            used = here.routes()
        there = bridges.exists(wanted.options.get(BRIDGE_NAME, ""))
        network = self.networks.create(replace(wanted, bridge_was_there=there), used)
        self._events.publish("network", "create", network.id, _attributes(network))
        return network

    def _tell(self, action: str, network: Network, container: Container) -> None:
        attributes = {**_attributes(network), "container": container.id}
        self._events.publish("network", action, network.id, attributes)


def _request(cables: Sequence[Cable]) -> dict[str, Any]:
    return {
        "plug": [wishes.interface(each) for each in cables],
        "gateways": [list(each) for each in wishes.gateways(cables)],
        "names": wishes.has_names(cables),
    }


def _addresses(endpoints: Iterable[Endpoint]) -> list[Address]:
    return [each.ip for endpoint in endpoints for each in endpoint.addresses]


def _attributes(network: Network) -> dict[str, str]:
    return {"name": network.name, "type": "bridge"}
