"""What goes on with registries: ``pull``, ``login``, ``logout`` and ``search``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from minidocker.client.commandline import Failed, Values, Verb
from minidocker.client.flags import (
    FILTER,
    FORMAT,
    NO_TRUNC,
    PLATFORM,
    UNTRUSTED,
    filters,
    number,
    string,
    switch,
)
from minidocker.client.format.rows import Columns, show
from minidocker.client.format.tables import truncate
from minidocker.client.pulling import pull
from minidocker.client.references import full_name, split_reference, with_tag
from minidocker.client.session import Session

TITLES = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
COLUMNS = Columns(
    "registry.SearchContext", TITLES, ("Name", "Description", "StarCount", "IsOfficial")
)
DESCRIPTION_WIDTH = 45
NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"


def pull_image(session: Session, values: Values, names: list[str]) -> int:
    """The image's full name on standard output at the end, progress before it."""
    image = names[0]
    quiet, all_tags = values["quiet"], values["all_tags"]
    tagged = bool(split_reference(image)[1])
    if all_tags and tagged:
        raise Failed("tag can't be used with --all-tags/-a")
    if not (all_tags or tagged or quiet):
        print("Using default tag: latest", flush=True)
    pull(
        session,
        image,
        platform=values["platform"],
        quiet=quiet,
        all_tags=all_tags,
        out=sys.stdout,
    )
    print(full_name(image if all_tags else with_tag(image)))
    return 0


def login(session: Session, values: Values, names: list[str]) -> int:
    """Ask the daemon whether the registry takes the credentials, and keep them if it does."""
    from minidocker.client import credentials

    server = credentials.server_of(names[0] if names else "")
    config = credentials.Config.read(session.environ)
    user, word = given(values)
    known = config.find(server) if not user and not values["password_stdin"] else None
    if known is None:
        user, word = user or ask_name(), word or ask_password()
        known = {"username": user, "password": word, "serveraddress": server}
    else:
        print("Authenticating with existing credentials...")
    answer = session.daemon.ask("POST", "/auth", known).json()
    if answer.get("IdentityToken"):
        known = {"identitytoken": answer["IdentityToken"], "serveraddress": server}
    if warning := config.store(server, known):
        print(f"\n{warning}\n", file=sys.stderr)
    print(answer["Status"])
    return 0


def given(values: Values) -> tuple[str, str]:
    """User and password as the flags have them; "" for what is to be asked."""
    user, word = values["username"] or "", values["password"] or ""
    if word and values["password_stdin"]:
        raise Failed("conflicting options: cannot specify both --password and --password-stdin")
    if word:
        warning = "WARNING! Using --password via the CLI is insecure. Use --password-stdin."
        print(warning, file=sys.stderr)
    if values["password_stdin"]:
        if not user:
            raise Failed("the --password-stdin option requires --username to be set")
        word = sys.stdin.read().rstrip("\n").rstrip("\r")
        if not word:
            raise Failed("password is empty")
    return user, word


def ask_name() -> str:
    if not sys.stdin.isatty():
        raise Failed(NO_TERMINAL)
    print("Username: ", end="", flush=True)
    name = sys.stdin.readline().strip()
    if not name:
        raise Failed("Error: Non-null Username Required")
    return name


def ask_password() -> str:
    import getpass

    if not sys.stdin.isatty():
        raise Failed(NO_TERMINAL)
    word = getpass.getpass("Password: ")
    if not word:
        raise Failed("Error: Password Required")
    return word


def logout(session: Session, values: Values, names: list[str]) -> int:
    """Forget the credentials; there is no daemon in it."""
    from minidocker.client import credentials

    server = credentials.server_of(names[0] if names else "")
    print(f"Removing login credentials for {server}")
    credentials.Config.read(session.environ).erase(server)
    return 0


def search(session: Session, values: Values, names: list[str]) -> int:
    """In the registry's own order."""
    found = (
        session.another()
        .ask(
            "GET",
            "/images/search",
            term=names[0],
            limit=values["limit"],
            filters=filters(values["filter"]),
        )
        .json()
    )
    rows = [row(each, short=not values["no_trunc"]) for each in found]
    show(COLUMNS, rows, values["format"])
    return 0


def row(found: Mapping[str, Any], short: bool) -> dict[str, str]:
    """The fields that ``search --format`` offers, for one of ImageSearch's objects."""
    text = str(found["description"]).replace("\n", " ").replace("\r", " ")
    return {
        "Name": str(found["name"]),
        "Description": truncate(text, DESCRIPTION_WIDTH) if short else text,
        "StarCount": str(found["star_count"]),
        "IsOfficial": "[OK]" if found["is_official"] else "",
        "IsAutomated": "[OK]" if found["is_automated"] else "",
    }


PULL = Verb(
    "[OPTIONS] NAME[:TAG|@DIGEST]",
    pull_image,
    (
        switch("all-tags", "Download all tagged images in the repository", "a"),
        UNTRUSTED,
        PLATFORM,
        switch("quiet", "Suppress verbose output", "q"),
    ),
    1,
    1,
)
LOGIN = Verb(
    "[OPTIONS] [SERVER]",
    login,
    (
        string("password", "Password or Personal Access Token (PAT)", "p"),
        switch("password-stdin", "Take the Password or Personal Access Token (PAT) from stdin"),
        string("username", "Username", "u"),
    ),
    0,
    1,
)
LOGOUT = Verb("[SERVER]", logout, (), 0, 1)
SEARCH = Verb(
    "[OPTIONS] TERM",
    search,
    (FILTER, FORMAT, number("limit", "Max number of search results"), NO_TRUNC),
    1,
    1,
)
