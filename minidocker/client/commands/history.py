"""``history``: how an image was made, the newest step first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from minidocker.client.commandline import Values, Verb
from minidocker.client.commands.containers import SHORT_ID
from minidocker.client.flags import FORMAT, NO_TRUNC, string, switch
from minidocker.client.format.rows import Columns, show
from minidocker.client.format.tables import truncate
from minidocker.client.references import parse_platform
from minidocker.client.session import Session
from minidocker.client.units import human_duration, human_size

TITLES = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
COMMAND_WIDTH = 45


def history(session: Session, values: Values, names: list[str]) -> int:
    """A row for each step; with ``-q`` only their IDs."""
    found = session.daemon.ask(
        "GET", f"/images/{names[0]}/history", platform=parse_platform(values["platform"])
    ).json()
    short, human = not values["no_trunc"], values["human"]
    rows = [row(each, time.time(), short, human) for each in found]
    form = values["format"] or ""
    if values["quiet"] and form in ("", "table"):
        form = "{{.ID}}"
    created = "CreatedSince" if human else "CreatedAt"
    plain = ("ID", created, "CreatedBy", "Size", "Comment")
    show(Columns("image.historyContext", TITLES, plain), rows, form)
    return 0


def row(step: Mapping[str, Any], now: float, short: bool, human: bool) -> dict[str, str]:
    """The fields that ``history --format`` offers, for one of ImageHistory's objects."""
    created, size = int(step["Created"]), int(step["Size"])
    by = str(step["CreatedBy"]).replace("\t", " ")
    id = str(step["Id"])
    return {
        "ID": id.removeprefix("sha256:")[:SHORT_ID] if short else id,
        "CreatedSince": f"{human_duration(now - created)} ago" if created > 0 else "N/A",
        "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(created)) + zone(created),
        "CreatedBy": truncate(by, COMMAND_WIDTH) if short else by,
        "Size": human_size(size, 3) if human else str(size),
        "Comment": str(step["Comment"]),
    }


def zone(seconds: int) -> str:
    """The local offset as RFC 3339 has it: "Z", "+02:00"."""
    text = time.strftime("%z", time.localtime(seconds))
    return "Z" if text == "+0000" else f"{text[:3]}:{text[3:]}"


HISTORY = Verb(
    "[OPTIONS] IMAGE",
    history,
    (
        FORMAT,
        switch("human", "Print sizes and dates in human readable format", "H", default=True),
        NO_TRUNC,
        string("platform", "Show history for the given platform"),
        switch("quiet", "Only show image IDs", "q"),
    ),
    1,
    1,
)
