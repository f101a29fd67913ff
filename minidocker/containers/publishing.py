"""The published ports of containers: taken before a start, carried while it runs, given back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from minidocker.containers import cables as wishes
from minidocker.containers.cables import Cable
from minidocker.containers.container import Container
from minidocker.containers.launch import Places
from minidocker.containers.proxies import start_proxy, stop_proxy
from minidocker.errors import SystemFailure
from minidocker.networks.endpoints import EndpointStore, HostPort
from minidocker.networks.network import Endpoint, Network
from minidocker.networks.ports import Listening, listen
from minidocker.networks.rules import Published
from minidocker.networks.store import NetworkStore

log = logging.getLogger(__name__)


class Publishing:
    """The event loop's thread owns it."""

    def __init__(self, networks: NetworkStore, endpoints: EndpointStore, places: Places) -> None:
        self._networks, self._endpoints, self._places = networks, endpoints, places
        self._listening: dict[str, list[Listening]] = {}  # of containers that are being started

    def take(self, container: Container, cables: Sequence[Cable]) -> None:
        """Listen on the machine's ports, and write them down.

        Raises ``SystemFailure`` in dockerd's words; ``give_back`` what was taken until then.
        """
        mine = self._listening.setdefault(container.id, [])
        for binding in wishes.bindings(container.spec, cables):
            others = self._endpoints.published()
            taken = {(each.protocol, each.host, each.host_port) for each in others}
            try:
                opened = listen(binding, taken)
            except SystemFailure as error:
                raise SystemFailure(
                    "driver failed programming external connectivity on endpoint "
                    f"{container.name} ({cables[0].endpoint.id}): {error}"
                ) from error
            mine += opened
            for each in opened:
                self._endpoints.publish(
                    HostPort(
                        container.id,
                        each.protocol,
                        each.container_port,
                        each.host,
                        each.host_port,
                    )
                )

    async def carry(self, container: Container, cables: Sequence[Cable], pidfd: int) -> None:
        """It runs: its proxy takes the ports over."""
        listening = self._listening.pop(container.id, [])
        try:
            if listening:
                target = _target(way_out(cables))
                await start_proxy(
                    self._places.launcher,
                    self._place(container),
                    container.id,
                    pidfd,
                    [(each, target) for each in listening],
                )
        except (OSError, SystemFailure) as error:
            log.error("%s", error)
        finally:
            for each in listening:
                each.sock.close()

    async def give_back(self, container: Container) -> bool:
        """Its ports are free again; whether it had any."""
        for each in self._listening.pop(container.id, ()):
            each.sock.close()
        if not self._endpoints.published(container.id):
            return False
        self._endpoints.unpublish(container.id)
        await stop_proxy(self._place(container))
        return True

    async def move(self, container: Container, cables: Sequence[Cable], pidfd: int) -> None:
        """It is reached over another network now: the same ports, from a new proxy."""
        ports = self._endpoints.published(container.id)
        if not ports or not any(not each.network.internal for each in cables):
            return
        await stop_proxy(self._place(container))
        self._endpoints.unpublish(container.id)
        mine = self._listening.setdefault(container.id, [])
        for port in ports:
            again = wishes.same_port(port)
            mine += listen(again, ())
            self._endpoints.publish(port)
        await self.carry(container, cables, pidfd)

    def rules(self) -> list[Published]:
        """What the firewall is to know: every port, and where it leads."""
        found = []
        for port in self._endpoints.published():
            way = self._way_out(port.container_id)
            if way is None:
                continue
            endpoint, network = way
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
        return found

    def _way_out(self, container_id: str) -> tuple[Endpoint, Network] | None:
        for endpoint in self._endpoints.all(container_id=container_id):
            network = self._networks.get(endpoint.network_id)
            if not network.internal:
                return endpoint, network
        return None

    def _place(self, container: Container) -> Path:
        return self._places.monitor(container.id).parent / "proxy.sock"


def way_out(cables: Sequence[Cable]) -> Cable:
    """The network over which its ports are reached: the first that is not internal."""
    return next(each for each in cables if not each.network.internal)


def _target(cable: Cable) -> str:
    return str(cable.endpoint.addresses[0].ip)
