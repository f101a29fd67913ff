"""Containers in networks, as docker-py sees them: names, ports, isolation, live changes."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from docker.errors import APIError, NotFound

from tests.daemon import api
from tests.support.engine import Engine
from tests.support.netns import interfaces

pytestmark = pytest.mark.kernel

IMAGE = "busybox"
SERVE = "echo it works > /index.html; exec httpd -f -p 80 -h /"


@pytest.fixture
def client(engine: Engine) -> Iterator[docker.DockerClient]:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="auto", timeout=60)
    with contextlib.closing(client):
        yield client


@pytest.fixture
def network(client: docker.DockerClient) -> Iterator[Callable[..., Any]]:
    """``network(internal=True)``: a network of its own name, removed at the end."""
    made = []

    def make(**options: Any) -> Any:
        found = client.networks.create(f"net-{uuid.uuid4().hex[:8]}", **options)
        made.append(found)
        return found

    yield make
    for each in made:
        with contextlib.suppress(NotFound):
            each.remove()


@pytest.fixture
def run(client: docker.DockerClient, network: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """``run("sleep 60", network=...)``: a running container; they go before the networks."""
    made = []

    def start(script: str = "exec sleep 1000", **options: Any) -> Any:
        options.setdefault("name", f"c-{uuid.uuid4().hex[:8]}")
        container = client.containers.create(IMAGE, ["sh", "-c", script], init=True, **options)
        made.append(container)
        container.start()
        container.reload()
        return container

    yield start
    for container in made:
        with contextlib.suppress(NotFound):
            container.remove(force=True)


def said(container: Any, script: str) -> str:
    """What a shell in it says."""
    return container.exec_run(["sh", "-c", script]).output.decode()


def fetch(container: Any, host: str, port: int = 80) -> str:
    """The page at ``host``, asked from inside; waits for the server to come up."""
    ask = f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {host} {port} | tail -n 1"
    for _ in range(20):
        if (answer := said(container, ask)).strip() in ("it works",):
            break
        time.sleep(0.05)
    return answer.strip()


def refused(container: Any, host: str, port: int = 80) -> bool:
    ask = f"nc -w 1 {host} {port} </dev/null && echo open"
    return "open" not in said(container, ask)


def get(host: str, port: int) -> str:
    """The page at a published port, asked from outside."""
    deadline = time.monotonic() + 5
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 2) as sock:
            sock.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            page = b""
            while data := sock.recv(4096):
                page += data
            if page:
                return page.decode().splitlines()[-1]
        assert time.monotonic() < deadline, f"nobody answers at {host}:{port}"
        time.sleep(0.05)


def address(container: Any, network: str) -> str:
    container.reload()
    return container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]


def test_two_containers_of_a_network_find_each_other_by_every_name(
    run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    net = network()
    server = run(SERVE, network=net.name, networking_config={net.name: _aliases("web")})
    asker = run(network=net.name)
    for name in (server.name, "web", server.id[:12], f"{server.name}.{net.name}"):
        assert fetch(asker, name) == "it works", name
    assert address(server, net.name) in said(asker, f"nslookup {server.name}")
    assert "nameserver 127.0.0.11" in said(asker, "cat /etc/resolv.conf")
    server.rename(f"{server.name}-2")
    assert fetch(asker, f"{server.name}-2") == "it works"


def _aliases(*names: str) -> Any:
    return docker.types.EndpointConfig("1.44", aliases=list(names))


def test_two_networks_are_apart_until_a_container_is_in_both(
    run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    one, two = network(), network()
    server, other = run(SERVE, network=one.name), run(network=two.name)
    assert refused(other, address(server, one.name))
    one.connect(other)
    assert fetch(other, server.name) == "it works"
    assert "eth1" in said(other, "ip addr")
    two.disconnect(other)
    assert fetch(other, server.name) == "it works"
    assert "default" in said(other, "ip route")
    one.disconnect(other)
    assert said(other, "ip route") == ""
    other.reload()
    assert other.attrs["NetworkSettings"]["Networks"] == {}


def test_a_published_port_is_reached_by_every_address_of_the_machine_and_by_neighbours(
    run: Callable[..., Any], network: Callable[..., Any], client: docker.DockerClient
) -> None:
    net = network()
    server = run(SERVE, network=net.name, ports={"80/tcp": None})
    shown = server.attrs["NetworkSettings"]["Ports"]["80/tcp"]
    assert [each["HostIp"] for each in shown] == ["0.0.0.0", "::"]
    port = int(shown[0]["HostPort"])
    gateway = server.attrs["NetworkSettings"]["Networks"][net.name]["Gateway"]
    for host in ("127.0.0.1", gateway, "::1"):
        assert get(host, port) == "it works", host
    neighbour, stranger = run(network=net.name), run()
    assert fetch(neighbour, gateway, port) == "it works"
    assert fetch(stranger, gateway, port) == "it works"
    (row,) = client.api.containers(filters={"id": server.id})
    api.check("ContainerSummary", row)
    assert {each["PublicPort"] for each in row["Ports"]} == {port}
    with pytest.raises(APIError, match="port is already allocated"):
        run(network=net.name, ports={"80/tcp": port})
    server.remove(force=True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_a_port_that_another_program_has_is_refused_and_nothing_is_left(
    run: Callable[..., Any], network: Callable[..., Any], client: docker.DockerClient
) -> None:
    net, before = network(), interfaces()
    with socket.create_server(("0.0.0.0", 0)) as theirs:
        port = theirs.getsockname()[1]
        with pytest.raises(APIError, match="address already in use"):
            run(network=net.name, ports={"80/tcp": port})
    net.reload()
    assert net.attrs["Containers"] == {}
    assert interfaces() == before


def test_an_internal_network_has_no_way_out(
    run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    net = network(internal=True)
    server = run(SERVE)
    inside, friend = run(network=net.name), run(SERVE, network=net.name)
    assert "default" not in said(inside, "ip route")
    assert fetch(inside, friend.name) == "it works"
    said(inside, "ip route add default via " + address(inside, net.name).rpartition(".")[0] + ".1")
    assert refused(inside, address(server, "bridge"))


def test_addresses_are_the_users_or_the_lowest_that_is_free(
    run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    pool = docker.types.IPAMPool(subnet="10.77.0.0/29", gateway="10.77.0.6")
    net = network(ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    config = docker.types.EndpointConfig("1.44", ipv4_address="10.77.0.1")
    first = run(network=net.name, networking_config={net.name: config})
    assert address(first, net.name) == "10.77.0.1"
    others = [run(network=net.name) for _ in range(4)]
    assert [address(each, net.name) for each in others] == [f"10.77.0.{n}" for n in range(2, 6)]
    with pytest.raises(APIError, match="no available IPv4 addresses"):
        run(network=net.name)
    with pytest.raises(APIError, match="Address already in use"):
        run(network=net.name, networking_config={net.name: config})
    others[1].remove(force=True)
    assert address(run(network=net.name), net.name) == "10.77.0.3"
    assert first.attrs["NetworkSettings"]["Networks"][net.name]["MacAddress"] == "02:42:0a:4d:00:01"


def test_ipv6_beside_ipv4(run: Callable[..., Any], network: Callable[..., Any]) -> None:
    net = network(enable_ipv6=True)
    server, asker = run(SERVE, network=net.name), run(network=net.name)
    six = server.attrs["NetworkSettings"]["Networks"][net.name]["GlobalIPv6Address"]
    assert six.startswith("fd")
    assert fetch(asker, six) == "it works"
    assert six in said(asker, f"nslookup -type=aaaa {server.name}")


def test_the_hosts_file_knows_the_container_and_the_gateway(run: Callable[..., Any]) -> None:
    container = run(extra_hosts={"host.docker.internal": "host-gateway"}, hostname="me")
    settings = container.attrs["NetworkSettings"]
    hosts = said(container, "cat /etc/hosts")
    assert f"{settings['Gateway']}\thost.docker.internal" in hosts
    assert f"{settings['IPAddress']}\tme" in hosts


def test_a_link_on_the_default_network_is_a_line_in_the_hosts_file(
    run: Callable[..., Any],
) -> None:
    server = run(SERVE)
    asker = run(links={server.name: "db"})
    assert fetch(asker, "db") == "it works"
    assert f"\tdb {server.id[:12]} {server.name}\n" in said(asker, "cat /etc/hosts")
    server.kill()
    with pytest.raises(APIError, match="Cannot link to a non running container"):
        run(links={server.name: "db"})


def test_links_elsewhere_are_names_for_the_one_that_asks(
    run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    net = network()
    server = run(SERVE, network=net.name)
    config = docker.types.EndpointConfig("1.44", links={server.name: "db"})
    asker, other = (
        run(network=net.name, networking_config={net.name: config}),
        run(network=net.name),
    )
    assert fetch(asker, "db") == "it works"
    assert refused(other, "db")


def test_all_exposed_ports_are_published_at_any_port(run: Callable[..., Any]) -> None:
    server = run(SERVE, publish_all_ports=True, ports={"80/tcp": []})
    ports = server.attrs["NetworkSettings"]["Ports"]
    assert get("127.0.0.1", int(ports["80/tcp"][0]["HostPort"])) == "it works"


def test_a_network_with_containers_stays_and_the_builtin_ones_do_too(
    client: docker.DockerClient, run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    net = network()
    api.check("Network", client.api.inspect_network(net.id))
    run(network=net.name)
    with pytest.raises(APIError, match="has active endpoints"):
        net.remove()
    for name in ("bridge", "host", "none"):
        with pytest.raises(APIError, match="pre-defined network and cannot be removed"):
            client.api.remove_network(name)
    with pytest.raises(APIError, match="already exists"):
        client.networks.create(net.name)
    pool = docker.types.IPAMPool(subnet=_subnet(client, net))
    with pytest.raises(APIError, match="Pool overlaps"):
        network(ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    unused = network()
    assert unused.name in client.networks.prune()["NetworksDeleted"]
    assert net.name in [each.name for each in client.networks.list()]


def _subnet(client: docker.DockerClient, net: Any) -> str:
    return client.api.inspect_network(net.id)["IPAM"]["Config"][0]["Subnet"]


def test_what_happens_in_networks_is_told(
    client: docker.DockerClient, run: Callable[..., Any], network: Callable[..., Any]
) -> None:
    since = time.time() - 0.001
    net = network()
    container = run(network=net.name)
    container.remove(force=True)
    net.remove()
    events = client.events(since=since, until=time.time() + 0.1, decode=True)
    told = [
        each["Action"]
        for each in events
        if each["Type"] == "network" and each["Actor"]["ID"] == net.id
    ]
    assert told == ["create", "connect", "disconnect", "destroy"]


def test_networks_go_on_without_a_daemon_and_with_the_next(new_engine: Callable[..., Any]) -> None:
    engine: Engine = new_engine()
    docker_ = engine.docker
    docker_("network", "create", "net")
    docker_("run", "-d", "--name", "server", "--net", "net", "-p", "0:80", IMAGE, "sh", "-c", SERVE)
    docker_("run", "-d", "--name", "asker", "--net", "net", IMAGE, "sleep", "1000")
    port = int(docker_("port", "server", "80/tcp").out.splitlines()[0].rpartition(":")[2])
    engine.kill()
    assert get("127.0.0.1", port) == "it works"
    engine.start()
    assert get("127.0.0.1", port) == "it works"
    assert "Address" in docker_("exec", "asker", "nslookup", "server").out
    docker_("run", "-d", "--name", "third", "--net", "net", IMAGE, "sleep", "1000")
    show = "{{.NetworkSettings.Networks.net.IPAddress}}"
    addresses = docker_("inspect", "-f", show, "server", "asker", "third").out.split()
    assert len(set(addresses)) == 3
    docker_("rm", "-f", "server", "asker", "third")
    docker_("network", "rm", "net")
    assert engine.stop() == 0
