"""``commit``: a container becomes an image."""

from __future__ import annotations

from minidocker.client.commandline import Values, Verb
from minidocker.client.flags import many, string, switch
from minidocker.client.references import split_reference
from minidocker.client.session import Session


def commit(session: Session, values: Values, arguments: list[str]) -> int:
    """The new image's ID."""
    container, *rest = arguments
    name, tag = split_reference(rest[0]) if rest else ("", "")
    answer = session.daemon.ask(
        "POST",
        "/commit",
        container=container,
        repo=name,
        tag=tag,
        comment=values["message"],
        author=values["author"],
        changes=list(values["change"]),
        pause=values["pause"],
    ).json()
    print(answer["Id"])
    return 0


COMMIT = Verb(
    "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    commit,
    (
        string("author", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', "a"),
        many("change", "Apply Dockerfile instruction to the created image", "c"),
        string("message", "Commit message", "m"),
        switch("pause", "Pause container during commit (default true)", "p", default=True),
    ),
    1,
    2,
)
