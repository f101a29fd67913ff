"""Containers in networks: addresses and bridges before a start, names and ports while it
runs, and all of it given back at the end.

What a running container has is in the records (``networks/store.py``) before it is in the
kernel, and leaves them after: so a daemon that was killed finds what there is to undo.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

from minidocker.containers import cables as wishes
from minidocker.containers.cables import Cable
from minidocker.containers.container import Container
from minidocker.containers.events import EventBus
from minidocker.containers.launch import Places
from minidocker.containers.link import Link
from minidocker.containers.network_spec import Attachment
from minidocker.errors import MinidockerError, NotFound, SystemFailure
from minidocker.linux.messages import Channel, connect_unix
from minidocker.linux.netlink import RouteSocket
from minidocker.linux.plan import Step, StepFailed, perform
from minidocker.networks import bridges
from minidocker.networks.endpoints import EndpointStore, HostPort
from minidocker.networks.firewall import Firewall
from minidocker.networks.network import Network
from minidocker.networks.ports import Listening, listen
from minidocker.networks.rules import Published
from minidocker.networks.store import NetworkStore, Wanted

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
    ) -> None:
        self.networks, self.endpoints = networks, endpoints
        self._firewall, self._events, self._places = firewall, events, places
        self._changing = asyncio.Lock()  # of bridges and rules
        self._listening: dict[str, list[Listening]] = {}  # of containers that are being started

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
            network = self._network(attachment)
            self.endpoints.join(network, wishes.joining(container, attachment, network))
        cables = self.cables(container)
        self._publish(container, cables)
        await self._prepare(cables, done)
        return _request(cables)

    def _network(self, attachment: Attachment) -> Network:
        try:
            return self.networks.get(attachment.network)
        except NotFound as error:
            raise NotFound(f"network {attachment.network} not found") from error

    def _publish(self, container: Container, cables: Sequence[Cable]) -> None:
        listening = self._listening.setdefault(container.id, [])
        for binding in wishes.bindings(container.spec, cables):
            taken = {
                (each.protocol, each.host, each.host_port) for each in self.endpoints.published()
            }
            try:
                opened = listen(binding, taken)
            except SystemFailure as error:
                raise SystemFailure(
                    "driver failed programming external connectivity on endpoint "
                    f"{container.name} ({cables[0].endpoint.id}): {error}"
                ) from error
            listening += opened
            for each in opened:
                self.endpoints.publish(
                    HostPort(
                        container.id,
                        each.protocol,
                        each.container_port,
                        each.host,
                        each.host_port,
                    )
                )

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
        return self._firewall.steps(networks, self._published())

    def _published(self) -> list[Published]:
        found = []
        for container_id in {each.container_id for each in self.endpoints.published()}:
            ways = {each.id: each for each in self.endpoints.all(container_id=container_id)}
            for port in self.endpoints.published(container_id):
                for endpoint in ways.values():
                    network = self.networks.get(endpoint.network_id)
                    if network.internal:
                        continue
                    found += [
                        Published(
                            port.protocol,
                            port.host,
                            port.host_port,
                            str(address.ip),
                            port.container_port,
                            network.bridge,
                        )
                        for address in endpoint.addresses
                    ]
                    break
        return found

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
        for cable in self.cables(container):
            self._tell("connect", cable.network, container)
        for fd in sockets:
            os.close(fd)
        for each in self._listening.pop(container.id, ()):
            each.sock.close()

    async def unplug(self, container: Container) -> None:
        """It has ended, or could not be started."""
        for each in self._listening.pop(container.id, ()):
            each.sock.close()
        cables = self.cables(container)
        published = bool(self.endpoints.published(container.id))
        self.endpoints.unpublish(container.id)
        for endpoint in self.endpoints.all(container_id=container.id):
            self.endpoints.leave(endpoint)
        if published:
            await self._apply()
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
            await self._rewire(pidfd, plug=new, gateways=wishes.gateways(cables))
        except MinidockerError:
            self.endpoints.leave(endpoint)
            raise
        self._tell("connect", network, container)

    async def disconnect(self, container: Container, network: Network, pidfd: int | None) -> None:
        """Unplug it from the network; where all else goes to, if that went there, is another."""
        gone = [each for each in self.cables(container) if each.network.id == network.id]
        for cable in gone:
            if pidfd is not None:
                left = [each for each in self.cables(container) if each not in gone]
                await self._rewire(
                    pidfd, unplug=[cable.endpoint.interface], gateways=wishes.gateways(left)
                )
            self.endpoints.leave(cable.endpoint)
        if gone:
            await self._apply()
            self._tell("disconnect", network, container)

    async def _rewire(
        self,
        pidfd: int,
        *,
        plug: Sequence[dict[str, Any]] = (),
        unplug: Sequence[str] = (),
        gateways: Sequence[tuple[str, str]] = (),
        names: bool = False,
    ) -> list[int]:
        """Have a process do it inside; the sockets of the name service, if they are wanted."""
        channel = Channel(connect_unix(str(self._places.launcher)))
        request = {
            "op": "rewire",
            "plug": list(plug),
            "unplug": list(unplug),
            "gateways": [list(each) for each in gateways],
            "names": names,
        }
        channel.send(request, [pidfd])
        link = Link(channel.sock)
        sockets: list[int] = []
        try:
            while (received := await link.receive()) is not None:
                message, fds = received
                sockets += fds
                if message.get("event") == "rewired":
                    return sockets
                if message.get("event") == "failed":
                    raise SystemFailure(message["message"])
        finally:
            link.close()
        raise SystemFailure("the process that changes a container's network ended")

    # The engine's start and end

    async def reconcile(self, running: Collection[str]) -> None:
        """Make the records, the bridges and the rules true for the containers that run."""
        for endpoint in self.endpoints.all():
            if endpoint.container_id not in running:
                self.endpoints.leave(endpoint)
        for port in self.endpoints.published():
            if port.container_id not in running:
                self.endpoints.unpublish(port.container_id)
        plugged = {each.host_interface for each in self.endpoints.all()}
        for network in self.networks.all():
            with contextlib.suppress(OSError):
                bridges.remove_cables(
                    name
                    for name in bridges.ports(network.bridge)
                    if name.startswith("veth") and name not in plugged
                )
        await self._apply()

    async def close(self) -> None:
        """The daemon ends: what no container uses goes; what runs goes on."""
        async with self._changing:
            for network in self.networks.all():
                if not self.endpoints.all(network_id=network.id):
                    with contextlib.suppress(OSError):
                        bridges.remove_bridge(network.bridge)
        await self._apply()

    async def remove(self, network: Network) -> None:
        """Raises ``Forbidden`` while containers are in it."""
        self.networks.remove(network)
        async with self._changing:
            bridges.remove_bridge(network.bridge)
        await self._apply()
        self._events.publish("network", "destroy", network.id, _attributes(network))

    def create(self, wanted: Wanted) -> Network:
        """See ``NetworkStore.create``."""
        with RouteSocket() as here:
            used = here.routes()
        network = self.networks.create(wanted, used)
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


def _attributes(network: Network) -> dict[str, str]:
    return {"name": network.name, "type": "bridge"}
