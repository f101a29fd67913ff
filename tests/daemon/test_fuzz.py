"""Every operation with generated requests: never a mistake of the engine, never silence.

The requests are made by ``fuzzing.py`` and not by schemathesis, for that knows neither a
connection that is given away (attach, exec), nor endless answers, nor UNIX sockets, nor
which names have to exist for a request to get anywhere; and it would bring twenty
packages along.  Each reply is checked as in ``test_replies.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, note, settings

from minidocker.daemon.routes import ROUTES
from tests.daemon import api
from tests.daemon.asking import Ask, Reply, check, place, read
from tests.daemon.fuzzing import WORLD, Wish, wishes
from tests.daemon.replies.streams import WEBSOCKET
from tests.daemon.talk import Talk
from tests.support.engine import Engine

SERVED = [route.operation for route in ROUTES if route.operation]
# The head comes at once; the rest when something happens.
ENDLESS = {route.operation for route in ROUTES if route.lasting} | {
    *("ContainerAttach", "ContainerAttachWebsocket", "ExecStart"),
}
PATIENCE = 20.0  # seconds; silence for so long is a hang


class World:
    """The containers that the requests are about, made anew when one has gone."""

    def __init__(self, engine: Engine) -> None:
        self.ask = Ask(engine.socket)
        self.exec = ""
        self.mend()

    def mend(self) -> None:
        """Have all of them as they should be, and nothing else."""
        rows = self.ask("ContainerList", 200, all=1).json
        states = {row["Names"][0].removeprefix("/"): row["State"] for row in rows}
        for name in states.keys() - {each for each in WORLD if states.get(each) == WORLD[each]}:
            self.ask("ContainerDelete", 204, id=name, force=1)
            del states[name]
        for row in self.ask("NetworkList", 200, filters={"type": ["custom"]}).json:
            self.ask("NetworkDelete", 204, id=row["Id"])
        if not self.ask("ImageList", 200, filters={"reference": {"busybox": True}}).json:
            self.ask("ImageCreate", 200, fromImage="busybox", tag="latest")
        for name in WORLD.keys() - states.keys():
            self._make(name, WORLD[name])

    def _make(self, name: str, state: str) -> None:
        self.ask.container(name=name, HostConfig={"Init": True, "NetworkMode": "none"})
        if state != "created":
            self.ask("ContainerStart", 204, id=name)
        if state == "paused":
            self.ask("ContainerPause", 204, id=name)
        if state == "running":
            self.exec = self.ask.exec_of(name, "cat")

    def answer(self, wish: Wish) -> Reply:
        """What the engine says; raises ``TimeoutError`` when it says nothing."""
        said = {
            name: self.exec if each == "fuzz-exec" else each for name, each in wish.said.items()
        }
        method, path = api.operations()[wish.operation]
        target, lines = place(wish.operation, path, said)
        if wish.operation == "ContainerAttachWebsocket":
            lines += WEBSOCKET
        if wish.body is not None and wish.kind:
            lines += f"Content-Type: {wish.kind}\r\n"
        talk = Talk(self.ask.socket, PATIENCE)
        try:
            talk.ask(method, target, wish.body, lines)
            reply = read(wish.operation, talk, 0 if wish.operation in ENDLESS else None)
        finally:
            talk.close()
        if method not in ("GET", "HEAD") and reply.status < 400:
            self.mend()
        return reply


def judge(wish: Wish, reply: Reply) -> None:
    """Raises ``AssertionError`` unless it is an answer that the API has, and no 500."""
    note(f"{wish} -> {reply.status} {reply.body[:500]!r}")
    assert reply.status < 500 or reply.status == 503
    check(wish.operation, reply)
    if reply.status >= 400 and reply.body:
        assert reply.message.strip()


@pytest.mark.kernel
def test_no_request_is_too_odd_for_an_answer(new_engine: Callable[..., Engine]) -> None:
    engine = new_engine()
    world = World(engine)

    @settings(max_examples=1000, deadline=None)
    @given(wishes(SERVED))
    def ask(wish: Wish) -> None:
        judge(wish, world.answer(wish))

    ask()
    assert "Traceback" not in engine.log()
