"""``stats``: what containers use, once or again and again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from minidocker.client.commandline import Values, Verb
from minidocker.client.commands.containers import SHORT_ID
from minidocker.client.connection import ApiError, Connection
from minidocker.client.flags import FORMAT, NO_TRUNC, switch
from minidocker.client.format.rows import Columns, lines
from minidocker.client.session import Session
from minidocker.client.units import binary_size, human_size

Json = Mapping[str, Any]

TITLES = {
    "Container": "CONTAINER",
    "ID": "CONTAINER ID",
    "Name": "NAME",
    "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemPerc": "MEM %",
    "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O",
    "PIDs": "PIDS",
}
PLAIN = ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs")
COLUMNS = Columns("container.statsContext", TITLES, PLAIN)
CLEAR = "\x1b[H\x1b[J"


def stats(session: Session, values: Values, names: list[str]) -> int:
    """A table once with ``--no-stream``; else drawn anew about every second until interrupted."""
    for name in names:
        session.daemon.ask("GET", f"/containers/{name}/json").read()
    while True:
        shown = names or _all(session, values["all"])
        rows = [row(sample, name, not values["no_trunc"]) for name, sample in take(session, shown)]
        text = lines(COLUMNS, rows, values["format"])
        if not values["no_stream"] and sys.stdout.isatty():
            text = CLEAR + text
        print(text, flush=True)
        if values["no_stream"]:
            return 0
        if not rows:
            import time

            time.sleep(1)


def _all(session: Session, stopped: bool) -> list[str]:
    found = session.daemon.ask("GET", "/containers/json", all=stopped or None).json()
    return [container["Id"] for container in found]


def take(session: Session, names: list[str]) -> list[tuple[str, Json]]:
    """A sample of each: all are asked before any is awaited, for each takes a second.

    What is gone meanwhile is left out.
    """
    asked: list[tuple[str, Connection]] = []
    for name in names:
        connection = session.another()
        connection.send("GET", f"/containers/{name}/stats", stream=False)
        asked.append((name, connection))
    samples = []
    for name, connection in asked:
        with connection:
            try:
                samples.append((name, connection.receive().json()))
            except ApiError:
                pass
    return samples


def row(sample: Json, name: str, short: bool) -> dict[str, Any]:
    """The fields of ``stats --format`` for one sample (Engine API, ContainerStats)."""
    id = str(sample.get("id") or name)
    memory = sample.get("memory_stats") or {}
    used, limit = memory_used(memory), int(memory.get("limit") or 0)
    received, sent = network(sample)
    read, written = block(sample)
    return {
        "Container": name,
        "ID": id[:SHORT_ID] if short else id,
        "Name": str(sample.get("name") or "--").removeprefix("/"),
        "CPUPerc": f"{cpu_percent(sample):.2f}%",
        "MemUsage": f"{binary_size(used)} / {binary_size(limit)}",
        "MemPerc": f"{100 * used / limit if limit else 0:.2f}%",
        "NetIO": f"{human_size(received, 3)} / {human_size(sent, 3)}",
        "BlockIO": f"{human_size(read, 3)} / {human_size(written, 3)}",
        "PIDs": str((sample.get("pids_stats") or {}).get("current") or 0),
    }


def cpu_percent(sample: Json) -> float:
    """The share of one CPU between the sample's two readings: 200 is two whole CPUs."""
    now, before = sample.get("cpu_stats") or {}, sample.get("precpu_stats") or {}
    used = _usage(now) - _usage(before)
    system = int(now.get("system_cpu_usage") or 0) - int(before.get("system_cpu_usage") or 0)
    cpus = now.get("online_cpus") or len(now.get("cpu_usage", {}).get("percpu_usage") or ())
    return used / system * cpus * 100 if used > 0 and system > 0 else 0.0


def _usage(reading: Json) -> int:
    return int((reading.get("cpu_usage") or {}).get("total_usage") or 0)


def memory_used(memory: Json) -> int:
    """Without the page cache that the kernel would give back first (v1, then v2 name it)."""
    usage, inside = int(memory.get("usage") or 0), memory.get("stats") or {}
    for key in ("total_inactive_file", "inactive_file"):
        cache = int(inside.get(key) or 0)
        if key in inside and cache < usage:
            return usage - cache
    return usage


def network(sample: Json) -> tuple[int, int]:
    """Bytes received and sent on all its interfaces."""
    links = (sample.get("networks") or {}).values()
    return sum(link["rx_bytes"] for link in links), sum(link["tx_bytes"] for link in links)


def block(sample: Json) -> tuple[int, int]:
    """Bytes read and written on all devices."""
    entries = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    totals = {"r": 0, "w": 0}
    for entry in entries:
        kind = entry["op"][:1].lower()
        if kind in totals:
            totals[kind] += entry["value"]
    return totals["r"], totals["w"]


STATS = Verb(
    "[OPTIONS] [CONTAINER...]",
    stats,
    (
        switch("all", "Show all containers (default shows just running)", "a"),
        FORMAT,
        switch("no-stream", "Disable streaming stats and only pull the first result"),
        NO_TRUNC,
    ),
)
