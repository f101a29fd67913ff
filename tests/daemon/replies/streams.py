"""Operations that stream: attach, exec, logs, wait, resize, events."""

from __future__ import annotations

import time

from tests.daemon.asking import Ask
from tests.daemon.replies import asks
from tests.daemon.replies.containers import GONE
from tests.daemon.talk import UPGRADE

WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@asks("ContainerLogs")
def logs(ask: Ask) -> None:
    id = ask.running("sh", "-c", "echo out; echo err >&2")
    ask("ContainerWait", 200, id=id)
    got = ask("ContainerLogs", 200, id=id, stdout=1, stderr=1, follow=1, timestamps=1, tail="all")
    assert b"out\n" in got.body
    ask("ContainerLogs", 200, id=id, stdout=1, since=0, until=int(time.time()) + 5)
    ask("ContainerLogs", 200, id=ask.container(Tty=True), stdout=1)
    ask("ContainerLogs", 400, id=id)
    ask("ContainerLogs", 404, id=GONE, stdout=1)


@asks("ContainerAttach")
def attach(ask: Ask) -> None:
    id = ask.running("sh", "-c", "echo said; read line", OpenStdin=True)
    ask("ContainerAttach", 101, more=UPGRADE, enough=0, id=id, stream=1, stdout=1)
    ask("ContainerAttach", 200, enough=0, id=id, stream=1, stdout=1)
    ask("ContainerAttach", 200, id=id, logs=1, stdout=1)
    ask("ContainerAttach", 400, id=id, stream=1, detachKeys="ctrl-")
    ask("ContainerAttach", 404, id=GONE)
    ask("ContainerPause", 204, id=id)
    ask("ContainerAttach", 409, id=id, stream=1)


@asks("ContainerAttachWebsocket")
def attach_websocket(ask: Ask) -> None:
    id = ask.running()
    operation = "ContainerAttachWebsocket"
    ask(operation, 101, more=WEBSOCKET, enough=0, id=id, stream=1, stdout=1)
    ask(operation, 400, id=id, stream=1)
    ask(operation, 404, more=WEBSOCKET, id=GONE)


@asks("ContainerWait")
def wait(ask: Ask) -> None:
    id = ask.running("sh", "-c", "exit 3")
    assert ask("ContainerWait", 200, id=id).json == {"StatusCode": 3}
    ask("ContainerWait", 200, id=id, condition="not-running")
    ask("ContainerWait", 200, enough=0, id=id, condition="next-exit")
    ask("ContainerWait", 400, id=id, condition="soon")
    ask("ContainerWait", 404, id=GONE)


@asks("ContainerResize")
def resize(ask: Ask) -> None:
    id = ask.running(Tty=True)
    ask("ContainerResize", 200, id=id, h=24, w=80)
    ask("ContainerResize", 404, id=GONE, h=24, w=80)
    ask("ContainerResize", 400, id=id, h="", w=80)
    ask("ContainerResize", 409, id=ask.container(Tty=True), h=24, w=80)


@asks("ContainerExec")
def exec_create(ask: Ask) -> None:
    id = ask.running()
    ask.exec_of(id, "true", Tty=True, Env=["A=1"], User="app", WorkingDir="/tmp")
    ask("ContainerExec", 404, {"Cmd": ["true"]}, id=GONE)
    ask("ContainerExec", 400, {"Cmd": []}, id=id)
    ask("ContainerExec", 409, {"Cmd": ["true"]}, id=ask.container())
    ask("ContainerPause", 204, id=id)
    ask("ContainerExec", 409, {"Cmd": ["true"]}, id=id)


@asks("ExecStart")
def exec_start(ask: Ask) -> None:
    id = ask.running()
    begun = {"Detach": False, "Tty": False}
    said = ask("ExecStart", 200, begun, id=ask.exec_of(id, "echo", "said", AttachStdout=True))
    assert said.body.endswith(b"said\n")
    ask("ExecStart", 200, {"Detach": True}, id=ask.exec_of(id))
    ask("ExecStart", 101, begun, more=UPGRADE, enough=0, id=ask.exec_of(id))
    ask("ExecStart", 404, begun, id=GONE)
    late = ask.exec_of(id)
    ask("ContainerPause", 204, id=id)
    ask("ExecStart", 409, begun, id=late)


@asks("ExecResize")
def exec_resize(ask: Ask) -> None:
    id = ask.running()
    exec_id = ask.exec_of(id, "sleep", "600", Tty=True, AttachStdout=True)
    ask("ExecStart", 200, {"Detach": True, "Tty": True}, id=exec_id)
    ask("ExecResize", 200, id=exec_id, h=24, w=80)
    ask("ExecResize", 400, id=exec_id, h="", w="")
    ask("ExecResize", 404, id=GONE, h=24, w=80)


@asks("ExecInspect")
def exec_inspect(ask: Ask) -> None:
    id = ask.running()
    exec_id = ask.exec_of(id, "sh", "-c", "exit 5", AttachStdout=True, User="app")
    ask("ExecInspect", 200, id=exec_id)
    ask("ExecStart", 200, {"Detach": False}, id=exec_id)
    assert ask("ExecInspect", 200, id=exec_id).json["ExitCode"] == 5
    ask("ExecInspect", 404, id=GONE)


@asks("SystemEvents")
def events(ask: Ask) -> None:
    since = time.time()
    id = ask.running("true")
    ask("ContainerWait", 200, id=id)
    ask("ContainerDelete", 204, id=id)
    ask("ImageTag", 201, name="busybox", repo="replies/events", tag="1")
    ask("ImageDelete", 200, name="replies/events:1")
    told = ask("SystemEvents", 200, since=f"{since:.6f}", until=f"{time.time():.6f}").messages
    actions = [(each["Type"], each["Action"]) for each in told]
    expected = [("container", each) for each in ("create", "start", "die", "destroy")]
    expected += [("image", "tag"), ("image", "untag")]
    assert [each for each in actions if each in expected] == expected
    ask("SystemEvents", 400, filters={"nonsense": {"a": True}})
    ask("SystemEvents", 400, since="yesterday")
