"""What the other commands ask, and how they show what they are told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.commands.containers import container_row, ports_text
from minidocker.client.commands.events import event_line
from minidocker.client.commands.images import image_rows
from minidocker.client.commands.stats import cpu_percent, memory_used, row
from minidocker.client.explain import Look, plan_text, text, trace_text
from minidocker.client.pulling import plain_line
from minidocker.client.references import full_name, split_reference
from tests.client.conversations import ID, client, err, out
from tests.client.fake import Exchange, FakeDaemon

CONTAINER: dict[str, Any] = {
    "Id": ID,
    "Names": ["/one"],
    "Image": "busybox",
    "Command": "sh -c 'echo a long command'",
    "Created": 1_700_000_000,
    "State": "running",
    "Status": "Up 2 minutes",
    "Ports": [],
    "Labels": {"b": "2", "a": "1"},
    "Mounts": [],
    "NetworkSettings": {"Networks": {"none": {}}},
}
STEPS = [
    {
        "process": "init",
        "pid": 1,
        "began_ns": 2_000_000,
        "took_ns": 500_000,
        "text": "mount(proc)",
        "chapter": "namespaces",
    },
    {"process": "starter", "pid": 9, "began_ns": 1_000_000, "took_ns": 250_000, "text": "unshare"},
]


PARTS: dict[str, Any] = {
    "process": st.sampled_from(["daemon", "starter", "init"]),
    "pid": st.integers(1, 9),
    "began_ns": st.integers(0, 10**12),
    "took_ns": st.integers(0, 10**9),
    "text": st.text('abcdefghij ()"\n', min_size=1, max_size=30),
    "chapter": st.sampled_from(["", "layers", "namespaces"]),
}


def everything(exchange: Exchange) -> None:
    """An engine of one container and one image."""
    line, query = exchange.asked.line, exchange.asked.query
    whole: dict[str, Any] = {
        "GET /containers/json": [CONTAINER],
        "GET /images/json": [
            {
                "Id": "sha256:" + "d" * 64,
                "RepoTags": ["busybox:latest"],
                "RepoDigests": [],
                "Created": 0,
                "Size": 4_270_000,
                "Containers": -1,
            }
        ],
        "GET /containers/one/json": {
            "Id": ID,
            "Name": "/one",
            "Config": {"Tty": False},
            "State": {"Running": True},
        },
        "GET /images/busybox/json": {"Id": "sha256:" + "d" * 64},
        "GET /containers/one/top": {"Titles": ["PID", "CMD"], "Processes": [["1", "sh"]]},
        "POST /containers/one/wait": {"StatusCode": 7},
        "DELETE /images/busybox": [{"Untagged": "busybox:latest"}, {"Deleted": "sha256:dd"}],
        "POST /containers/create": {"Id": ID, "Warnings": []},
        "POST /minidocker/plan": {"steps": STEPS},
        f"GET /minidocker/containers/{ID}/trace": STEPS,
        "POST /containers/one/exec": {"Id": "e1"},
        "GET /exec/e1/json": {"ExitCode": 9},
    }
    if line in whole:
        exchange.json(whole[line])
    elif line == f"GET /containers/{ID}/logs":
        assert query["tail"] == "5"
        exchange.chunks(out("a")[:3], out("a")[3:] + err("b\n"), out("c\n"))
    elif line == "POST /exec/e1/start":
        exchange.hijack()
        exchange.connection.sendall(out("inside\n"))
        exchange.connection.close()
    elif line == "GET /events":
        exchange.chunks(b'{"Type":"container","Action":"die","timeNano":5,"Actor":{"ID":"x"}}')
    elif exchange.asked.path.startswith(("/containers/one", f"/containers/{ID}")):
        exchange.empty()
    else:
        exchange.refuse(404, f"No such container: {exchange.asked.path.split('/')[2]}")


@pytest.fixture
def daemon(tmp_path: Path) -> Any:
    with FakeDaemon(tmp_path / "s", everything) as daemon:
        yield daemon


@pytest.mark.parametrize(
    ("line", "asked", "query"),
    [
        ("stop -t 3 one", "POST /containers/one/stop", {"t": "3"}),
        ("stop -s INT one", "POST /containers/one/stop", {"signal": "INT"}),
        ("restart --time 0 one", "POST /containers/one/restart", {"t": "0"}),
        ("kill -s USR1 one", "POST /containers/one/kill", {"signal": "USR1"}),
        ("pause one", "POST /containers/one/pause", {}),
        ("unpause one", "POST /containers/one/unpause", {}),
        ("start one", "POST /containers/one/start", {}),
        ("rm -fv one", "DELETE /containers/one", {"force": "1", "v": "1"}),
    ],
)
def test_a_command_asks_and_prints_the_name(
    daemon: FakeDaemon, line: str, asked: str, query: dict[str, str]
) -> None:
    answer = client(daemon.socket_path, *line.split())
    assert (answer.code, answer.out, answer.err) == (0, "one\n", "")
    assert [(each.line, each.query) for each in daemon.requests] == [(asked, query)]


def test_what_can_be_done_is_done_and_the_rest_is_named(daemon: FakeDaemon) -> None:
    answer = client(daemon.socket_path, "stop", "no", "one", "nor")
    assert (answer.code, answer.out) == (1, "one\n")
    assert answer.err.splitlines() == [
        "Error response from daemon: No such container: no",
        "Error response from daemon: No such container: nor",
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ps -q", ID[:12]),
        ("ps -q --no-trunc", ID),
        ("ps --format {{.Names}}:{{.Labels}}", "one:a=1,b=2"),
        ('ps --format {{.Label(space)"a"}}', "1"),
        ("images -q", "d" * 12),
        ("images --format {{.Repository}}/{{.Size}}", "busybox/4.27MB"),
        ("wait one", "7"),
        ("top one", "PID                 CMD\n1                   sh"),
        ("rmi busybox", "Untagged: busybox:latest\nDeleted: sha256:dd"),
        ("inspect -f {{.Name}} one", "/one"),
        ("inspect --format json busybox", '[{"Id":"sha256:' + "d" * 64 + '"}]'),
        ("create busybox", ID),
        (
            "run --dry-run busybox",
            "init\n 1  namespaces  mount(proc)\nstarter\n 2              unshare\n"
            "2 steps; nothing was made",
        ),
        ("exec one echo", "inside"),
        ("container ls -q", ID[:12]),
        ("image ls -q", "d" * 12),
    ],
)
def test_what_a_command_prints(daemon: FakeDaemon, line: str, text: str) -> None:
    words = [word.replace("(space)", " ") for word in line.split()]
    answer = client(daemon.socket_path, *words)
    assert (answer.out.rstrip("\n"), answer.err) == (text, "")
    assert answer.code == (9 if line.startswith("exec") else 0)


def test_dry_run_makes_nothing(daemon: FakeDaemon) -> None:
    client(daemon.socket_path, "run", "--dry-run", "-m", "64m", "busybox", "true")
    assert daemon.lines == ["POST /minidocker/plan"]
    assert daemon.requests[0].json()["HostConfig"]["Memory"] == 67108864


def test_the_id_file_is_made_first_and_only_stays_with_an_id(
    daemon: FakeDaemon, tmp_path: Path
) -> None:
    line = ("create", "--cidfile", str(tmp_path / "cid"), "busybox")
    assert client(daemon.socket_path, *line).code == 0
    assert (tmp_path / "cid").read_text() == ID
    again = client(daemon.socket_path, *line)
    assert (again.code, again.out) == (1, "")
    assert "container ID file found" in again.err
    nowhere = client(daemon.socket_path, "create", "--cidfile", f"{tmp_path}/no/cid", "busybox")
    assert "failed to create the container ID file: open" in nowhere.err
    assert daemon.lines == ["POST /containers/create"]


def test_no_id_file_stays_without_a_container(tmp_path: Path) -> None:
    with FakeDaemon(tmp_path / "s", lambda exchange: exchange.refuse(409, "taken")) as daemon:
        answer = client(daemon.socket_path, "create", "--cidfile", f"{tmp_path}/cid", "busybox")
    assert (answer.code, (tmp_path / "cid").exists()) == (1, False)


def test_explain_asks_for_the_steps_right_after_the_start(daemon: FakeDaemon) -> None:
    answer = client(daemon.socket_path, "run", "-d", "--rm", "--explain", "busybox")
    assert answer.out == ID + "\n"
    assert answer.err == trace_text(STEPS) + "\n"
    assert daemon.lines[-2:] == [
        f"POST /containers/{ID}/start",
        f"GET /minidocker/containers/{ID}/trace",
    ]


def test_the_steps_are_told_in_the_order_in_which_they_happened() -> None:
    lines = trace_text(STEPS).splitlines()
    assert lines == [
        "    at ms  took ms  chapter     step",
        "starter (pid 9)",
        "     0.00     0.25              unshare",
        "init (pid 1)",
        "     1.00     0.50  namespaces  mount(proc)",
        "2 steps in 1.50 ms",
        "by chapter, in ms: namespaces 0.50, other 0.25",
    ]
    assert trace_text([]) == "no steps were recorded"
    assert plan_text([]) == ""


def test_the_step_that_failed_says_why() -> None:
    failed = {**STEPS[0], "error": "mount(proc): Operation not permitted"}
    before, why, *_ = trace_text([failed]).splitlines()[2:]
    assert before.endswith("namespaces  mount(proc)")
    assert why.strip() == "failed: mount(proc): Operation not permitted"
    assert why.index("failed") == before.index("mount")
    shown = trace_text([{**failed, "error": "word " * 40}], Look(colours=True, width=80))
    plain = re.sub(r"\x1b\[\d+m", "", shown)
    assert "\x1b[31mfailed: word" in shown
    assert all(len(line) <= 80 for line in plain.splitlines())


def test_a_terminal_gets_colours_and_a_step_that_fits() -> None:
    long = {**STEPS[0], "text": "mount " + "word " * 30 + ID, "took_ns": 2_000_000}
    shown = trace_text([long], Look(colours=True, width=80))
    plain = re.sub(r"\x1b\[\d+m", "", shown)
    assert "\x1b[1minit (pid 1)\x1b[0m" in shown
    assert "\x1b[33m    2.00\x1b[0m" in shown
    assert all(len(line) <= 80 for line in plain.splitlines())
    steps = [line[32:] for line in plain.splitlines()[2:-2]]
    assert " ".join(steps) == text(long) == long["text"].replace(ID, ID[:12])


@given(st.lists(st.builds(dict, **PARTS), min_size=1, max_size=12))
def test_every_step_is_shown_whatever_it_says(steps: list[dict[str, Any]]) -> None:
    shown = trace_text(steps)
    assert all(step["text"] in shown for step in steps)
    assert f"\n{len(steps)} steps in " in shown
    assert all(step["text"] in plan_text(steps) for step in steps)


def test_the_steps_of_a_start_that_failed_are_told_too(tmp_path: Path) -> None:
    def failing(exchange: Exchange) -> None:
        if exchange.asked.line == f"POST /containers/{ID}/start":
            exchange.refuse(400, "overlay: it is full")
        else:
            everything(exchange)

    with FakeDaemon(tmp_path / "s", failing) as daemon:
        answer = client(daemon.socket_path, "run", "-d", "--explain", "busybox")
    assert (answer.code, answer.out) == (125, "")
    assert answer.err.startswith(trace_text(STEPS) + "\nminidocker: Error response from daemon")


def test_logs_go_to_the_stream_they_came_from(daemon: FakeDaemon) -> None:
    answer = client(daemon.socket_path, "logs", "--tail", "5", "one")
    assert (answer.code, answer.out, answer.err) == (0, "ac\n", "b\n")


def test_inspect_says_what_it_did_not_find(daemon: FakeDaemon) -> None:
    answer = client(daemon.socket_path, "inspect", "nope", "one")
    assert answer.code == 1
    assert [each["Name"] for each in json.loads(answer.out)] == ["/one"]
    assert answer.err == "Error: No such object: nope\n"


def test_events_come_as_docker_prints_them(daemon: FakeDaemon) -> None:
    answer = client(daemon.socket_path, "events", "--until", "0s", "-f", "type=container")
    assert answer.out.endswith(" container die x\n")
    assert json.loads(daemon.requests[0].query["filters"]) == {"type": {"container": True}}
    event = {"Type": "t", "Action": "a", "time": 1, "Actor": {"ID": "i", "Attributes": {"k": "v"}}}
    assert event_line(event).endswith(" t a i (k=v)")


def test_a_container_in_a_row() -> None:
    now = CONTAINER["Created"] + 120
    short = container_row(CONTAINER, now, True)
    assert short["Command"] == '"sh -c \'echo a long …"'
    assert short["RunningFor"] == "2 minutes ago"
    assert container_row(CONTAINER, now, False)["Command"] == f'"{CONTAINER["Command"]}"'


def test_an_image_without_a_name_has_a_row_too() -> None:
    image = {
        "Id": "sha256:" + "a" * 64,
        "Created": 0,
        "Size": 1,
        "RepoTags": ["<none>:<none>"],
        "RepoDigests": ["x@sha256:b"],
    }
    [row] = image_rows(image, 0, True, True)
    assert (row["Repository"], row["Tag"], row["Digest"]) == ("x", "<none>", "sha256:b")
    assert image_rows({**image, "RepoDigests": None}, 0, True, True)[0]["Repository"] == "<none>"


def test_ports_are_written_with_where_they_lead() -> None:
    ports = [
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 53, "Type": "udp"},
    ]
    assert ports_text(ports) == "53/udp, [::]:8080->80/tcp"


def test_a_stopped_containers_stats_are_zero() -> None:
    shown = row({}, ID, True)
    assert (shown["ID"], shown["CPUPerc"], shown["MemUsage"]) == (ID[:12], "0.00%", "0B / 0B")


def test_stats_between_two_readings() -> None:
    sample = {
        "cpu_stats": {
            "cpu_usage": {"total_usage": 300},
            "system_cpu_usage": 2000,
            "online_cpus": 2,
        },
        "precpu_stats": {"cpu_usage": {"total_usage": 100}, "system_cpu_usage": 1000},
    }
    assert cpu_percent(sample) == 40.0
    assert memory_used({"usage": 100, "stats": {"inactive_file": 30}}) == 70
    assert (
        memory_used({"usage": 100, "stats": {"total_inactive_file": 20, "inactive_file": 3}}) == 80
    )


@pytest.mark.parametrize(
    ("image", "parts", "full"),
    [
        ("alpine", ("alpine", ""), "docker.io/library/alpine"),
        ("alpine:3", ("alpine", "3"), "docker.io/library/alpine:3"),
        ("a/b:c", ("a/b", "c"), "docker.io/a/b:c"),
        ("h:5000/x", ("h:5000/x", ""), "h:5000/x"),
        ("h:5000/x:1", ("h:5000/x", "1"), "h:5000/x:1"),
        ("x@sha256:ab", ("x", "sha256:ab"), "docker.io/library/x@sha256:ab"),
        ("x:1@sha256:ab", ("x", "sha256:ab"), "docker.io/library/x:1@sha256:ab"),
    ],
)
def test_references_are_split_for_a_pull(image: str, parts: tuple[str, str], full: str) -> None:
    assert split_reference(image) == parts
    assert full_name(image) == full


def test_progress_is_left_out_where_there_is_no_terminal() -> None:
    assert plain_line({"status": "Downloading", "progressDetail": {"current": 1}, "id": "a"}) == ""
    assert plain_line({"status": "Pull complete", "progressDetail": {}, "id": "a"}) == (
        "a: Pull complete"
    )
