"""Sessions of requests that do something with containers, in right and in wrong states."""

from __future__ import annotations

from tests.oracle.asked import Asked, delete, get, post
from tests.oracle.inspecting import INSPECT, SLEEP, WAIT, do, make

STATE = get("/containers/$IT/json")
TRAPS = ("sh", "-c", "trap 'exit 7' TERM; trap : USR1 HUP; while :; do sleep 0.02; done")
WRITES = ("sh", "-c", "echo out; sleep 0.2; echo err >&2; sleep 0.2; printf end")


def each(*paths: str) -> tuple[Asked, ...]:
    """A POST for each."""
    return tuple(do(path) for path in paths)


NOWHERE = (
    *each("start", "stop", "restart", "kill", "pause", "unpause", "wait", "resize?h=1&w=1"),
    *each("rename?name=x", "update", "attach?stream=1&stdout=1", "exec"),
    *(get(f"/containers/$IT/{what}") for what in ("json", "top", "logs?stdout=1", "changes")),
    get("/containers/$IT/stats?stream=0"),
    delete("/containers/$IT"),
    get("/exec/nope/json"),
    post("/exec/nope/start", {}),
    post("/exec/nope/resize?h=1&w=1"),
)

ACTING: dict[str, tuple[Asked, ...]] = {
    "acts on nobody": NOWHERE,
    "acts on what was never started": (
        make(*SLEEP),
        *each("stop", "kill", "pause", "unpause", "resize?h=1&w=1", "wait"),
        get("/containers/$IT/top"),
        get("/containers/$IT/stats?stream=0"),
        get("/containers/$IT/stats?stream=0&one-shot=1"),
        get("/containers/$IT/stats?one-shot=1"),
        get("/containers/$IT/logs?stdout=1"),
        get("/containers/$IT/logs?stdout=1&follow=1"),
        post("/containers/$IT/exec", {"Cmd": ["true"]}),
        do("attach?logs=1&stdout=1"),
        delete("/containers/$IT?v=1"),
    ),
    "acts on what runs": (
        make(*SLEEP),
        *each("start", "start", "unpause", "pause", "pause", "start", "unpause"),
        delete("/containers/$IT"),
        do("pause"),
        delete("/containers/$IT"),
        do("kill?signal=TERM"),
        do("restart?t=0"),
        do("resize?h=1&w=1"),
        delete("/containers/$IT?force=1"),
        delete("/containers/$IT?force=1"),
    ),
    "acts on what has ended": (
        make("true"),
        do("start"),
        WAIT,
        *each("stop", "kill", "pause", "unpause", "resize?h=1&w=1"),
        get("/containers/$IT/top"),
        get("/containers/$IT/stats?stream=0"),
        post("/containers/$IT/exec", {"Cmd": ["true"]}),
        do("restart"),
        WAIT,
    ),
    "kill: signals": (
        make(*TRAPS),
        do("start"),
        *each("kill?signal=nope", "kill?signal=0", "kill?signal=65", "kill?signal=-1"),
        *each("kill?signal=99999999999", "kill?signal=SIGUSR1", "kill?signal=usr1"),
        *each("kill?signal=10", "kill?signal=RTMIN%2B1x", "kill?signal=hup", "kill?signal=%20"),
        *each(
            "kill?signal=KILL",
        ),
        WAIT,
        STATE,
    ),
    "stop: seconds and signals": (
        make(*TRAPS),
        do("start"),
        *each("stop?t=x", "stop?t=1.5", "restart?t=x"),
        do("stop?t=-1"),
        STATE,
        do("start"),
        do("kill"),
        WAIT,
        STATE,
    ),
    "wait: conditions": (
        make("sh", "-c", "exit 3"),
        *each("wait?condition=nope", "wait?condition=not-running", "wait?condition=", "start"),
        *each("wait", "wait?condition=not-running"),
    ),
    "start: a body and odd names": (
        make("true"),
        post("/containers/$IT/start", {"Binds": []}),
        post("/containers/$IT/start", {}),
        WAIT,
        do("start?detachKeys=nope"),
        do("start?checkpoint=x"),
    ),
    "rename": (
        make("true"),
        post("/containers/create?name=$IT-other", {"Image": "busybox"}),
        *each("rename", "rename?name=", "rename?name=/", "rename?name=a", "rename?name=-bad"),
        *each("rename?name=$IT", "rename?name=/$IT", "rename?name=$IT-other", "rename?name=a%20b"),
        do("rename?name=$IT-new"),
        STATE,
        get("/containers/$IT-new/json"),
        post("/containers/$IT-new/rename?name=/$IT"),
        STATE,
    ),
    "resize": (
        make(*SLEEP, Tty=True),
        do("start"),
        *each("resize", "resize?h=x&w=1", "resize?h=1", "resize?h=-1&w=1", "resize?h=0&w=0"),
        *each("resize?h=70000&w=1", "resize?h=99999999999&w=1", "resize?h=24&w=80"),
    ),
    "attach": (
        make(*WRITES),
        do("attach?logs=1&stdout=1&stderr=1"),
        do("start"),
        WAIT,
        *each("attach?logs=1&stdout=1&stderr=1", "attach?logs=1&stdout=1"),
        *each("attach?logs=1&stderr=1", "attach?logs=1", "attach", "attach?stdout=1"),
        *each("attach?logs=1&stdout=1&detachKeys=nope", "attach?logs=1&stdout=1&detachKeys=ctrl-a"),
        get("/containers/$IT/attach/ws"),
    ),
    "attach to what has a terminal": (
        make(*WRITES, Tty=True),
        do("start"),
        WAIT,
        do("attach?logs=1&stdout=1&stderr=1"),
    ),
    "attach where nothing is kept": (
        make(*WRITES, host={"LogConfig": {"Type": "none"}}),
        do("start"),
        WAIT,
        do("attach?logs=1&stdout=1&stderr=1"),
        get("/containers/$IT/logs?stdout=1"),
        get("/containers/$IT/logs?stdout=1&follow=1"),
    ),
    "attach to what is paused": (
        make(*SLEEP),
        *each("start", "pause", "attach?stream=1&stdout=1", "attach?logs=1&stdout=1", "unpause"),
    ),
    "acts on what restarts": (
        make("sh", "-c", "exit 3", host={"RestartPolicy": {"Name": "always"}}),
        do("start"),
        get("/containers/$IT/json", until='"Restarting": true.*"RestartCount": 5'),
        *each("pause", "unpause", "attach?stream=1&stdout=1", "resize?h=1&w=1"),
        get("/containers/$IT/top"),
        get("/containers/$IT/stats?stream=0"),
        post("/containers/$IT/exec", {"Cmd": ["true"]}),
        delete("/containers/$IT"),
        do("stop"),
        INSPECT,
        delete("/containers/$IT"),
    ),
    "top": (
        make(*SLEEP),
        do("start"),
        get("/containers/$IT/top?ps_args=-o%20comm,pid"),
        get("/containers/$IT/top?ps_args=-o%20pid,args"),
        get("/containers/$IT/top?ps_args=-o%20comm"),
        get("/containers/$IT/top?ps_args=-o%20nope"),
        get("/containers/$IT/top?ps_args=--nope"),
        get("/containers/$IT/top?ps_args='"),
        get("/containers/$IT/top?ps_args=-o%20pid=X"),
        get("/containers/$IT/top?ps_args=-eo%20ppid=PID,comm"),
        get("/containers/$IT/top?ps_args=-eo%20'pid,comm'"),
        get("/containers/$IT/top?ps_args=--no-headers"),
        do("pause"),
        get("/containers/$IT/top?ps_args=-o%20pid,args"),
    ),
    "remove": (
        make("true"),
        delete("/containers/$IT?link=1"),
        delete("/containers/$IT?v=0&force=false"),
        make(*SLEEP, host={"AutoRemove": True}),
        do("start"),
        do("kill"),
        get("/containers/$IT/json", until="No such container"),
        delete("/containers/$IT?force=1"),
        delete("/containers/"),
    ),
    "exec: wrong states and bodies": (
        make(*SLEEP),
        do("start"),
        *(
            post("/containers/$IT/exec", body)
            for body in ({}, {"Cmd": []}, {"Cmd": ["true"], "DetachKeys": "nope"}, {"Cmd": [""]})
        ),
        post("/containers/$IT/exec", {"Cmd": ["true"], "Tty": "x"}),
        do("pause"),
        post("/containers/$IT/exec", {"Cmd": ["true"]}),
    ),
}
