"""Pulling an image, and showing how it goes: a bar a layer on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from minidocker.client.references import split_reference
from minidocker.client.session import Session
from minidocker.errors import MinidockerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

Message = Mapping[str, Any]


def pull(
    session: Session,
    image: str,
    *,
    platform: str | None = None,
    quiet: bool = False,
    all_tags: bool = False,
    out: IO[str] = sys.stderr,
) -> None:
    """Have the daemon pull ``image`` (ImageCreate); returns when it is there.

    Raises ``ApiError`` for what fails at once, ``MinidockerError`` for what fails on the way.
    """
    from minidocker.client.credentials import auth_header

    name, tag = split_reference(image)
    reply = session.another().ask(
        "POST",
        "/images/create",
        headers=auth_header(image, session.environ),
        fromImage=name,
        tag=tag or (None if all_tags else "latest"),
        platform=platform,
    )
    messages = reply.messages()
    if quiet:
        for _ in _checked(messages):
            pass
    else:
        show(messages, out)


def show(messages: Iterable[Message], out: IO[str]) -> None:
    """Show what an answer of messages says while it comes.

    Raises ``MinidockerError`` for the message that says that it failed.
    """
    messages = _checked(messages)
    if out.isatty() and os.environ.get("TERM") != "dumb":
        _bars(messages, out)
    else:
        for message in messages:
            if line := plain_line(message):
                print(line, file=out, flush=True)


def _checked(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages; the one that says that the pull failed ends it."""
    for message in messages:
        if "error" in message:
            detail = message.get("errorDetail") or {}
            raise MinidockerError(str(detail.get("message") or message["error"]))
        yield message


def plain_line(message: Message) -> str:
    """A message as a line of text; "" for mere progress, of which there is too much."""
    if message.get("progressDetail"):
        return ""
    status = str(message.get("status", message.get("stream", ""))).rstrip("\n")
    return f"{message['id']}: {status}" if message.get("id") and status else status


def _bars(messages: Iterable[Message], out: IO[str]) -> None:
    with _progress(out) as bars:
        tasks: dict[str, TaskID] = {}
        for message in messages:
            name, status = message.get("id"), str(message.get("status", ""))
            detail = message.get("progressDetail")
            if not name or detail is None:
                bars.console.print(plain_line(message), highlight=False, markup=False)
                continue
            if name not in tasks:
                tasks[name] = bars.add_task("", total=None, layer=name, status=status)
            current, total = detail.get("current"), detail.get("total")
            if status in ("Pull complete", "Already exists"):
                bars.update(tasks[name], status=status, total=1, completed=1)
            else:
                bars.update(tasks[name], status=status, total=total, completed=current)


@contextmanager
def _progress(out: IO[str]) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.fields[layer]}: {task.fields[status]:18}"),
        BarColumn(bar_width=30),
        DownloadColumn(),
    )
    with Progress(*columns, console=Console(file=out)) as bars:
        yield bars
