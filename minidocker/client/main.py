"""The command line's root: finds the command, runs it, turns what went wrong into words.

Commands are imported when they are called, since imports are most of the time
that a short command takes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from minidocker.client.commandline import PROGRAM, Failed, Verb, call, usage_failure
from minidocker.client.flags import Flag, many, switch
from minidocker.client.pflag import HelpWanted, WrongLine, parse
from minidocker.errors import MinidockerError

# name -> (module under minidocker.client.commands, the Verb there, what it does)
CONTAINER = {
    "attach": ("streaming", "ATTACH", "Attach local streams to a running container"),
    "commit": ("commit", "COMMIT", "Create a new image from a container's changes"),
    "cp": ("copy", "CP", "Copy files between a container and this machine"),
    "create": ("run", "CREATE", "Create a new container"),
    "diff": ("files", "DIFF", "Inspect changes to files on a container's filesystem"),
    "exec": ("execute", "EXEC", "Execute a command in a running container"),
    "export": ("files", "EXPORT", "Export a container's filesystem as a tar archive"),
    "inspect": ("inspect", "CONTAINER_INSPECT", "Show all about one or more containers"),
    "kill": ("life", "KILL", "Kill one or more running containers"),
    "logs": ("streaming", "LOGS", "Fetch the logs of a container"),
    "ls": ("listing", "PS", "List containers"),
    "pause": ("life", "PAUSE", "Pause all processes within one or more containers"),
    "prune": ("update", "PRUNE", "Remove all stopped containers"),
    "rename": ("life", "RENAME", "Rename a container"),
    "restart": ("life", "RESTART", "Restart one or more containers"),
    "rm": ("life", "RM", "Remove one or more containers"),
    "run": ("run", "RUN", "Create and run a new container from an image"),
    "start": ("start", "START", "Start one or more stopped containers"),
    "stats": ("stats", "STATS", "Display resource usage statistics"),
    "stop": ("life", "STOP", "Stop one or more running containers"),
    "top": ("listing", "TOP", "Display the running processes of a container"),
    "unpause": ("life", "UNPAUSE", "Unpause all processes within one or more containers"),
    "update": ("update", "UPDATE", "Update configuration of one or more containers"),
    "wait": ("life", "WAIT", "Block until containers stop, then print their exit codes"),
}
IMAGE = {
    "history": ("history", "HISTORY", "Show the history of an image"),
    "import": ("archives", "IMPORT", "Import a tarball to create a filesystem image"),
    "inspect": ("inspect", "IMAGE_INSPECT", "Show all about one or more images"),
    "load": ("archives", "LOAD", "Load images from a tar archive or STDIN"),
    "ls": ("listing", "IMAGES", "List images"),
    "prune": ("prune", "PRUNE", "Remove unused images"),
    "pull": ("images", "PULL", "Download an image from a registry"),
    "rm": ("images", "RMI", "Remove one or more images"),
    "save": ("archives", "SAVE", "Save images to a tar archive"),
    "tag": ("images", "TAG", "Create a tag that refers to an image"),
}
SYSTEM = {
    "df": ("disk_usage", "DF", "Show disk usage"),
    "events": ("streaming", "EVENTS", "Get real time events from the server"),
    "info": ("system", "INFO", "Display system-wide information"),
}
DAEMON = {
    "run": ("system", "DAEMON_RUN", "Be the daemon, in the foreground"),
    "start": ("system", "DAEMON_START", "Start the daemon in the background"),
    "status": ("system", "DAEMON_STATUS", "Say whether the daemon runs"),
    "stop": ("system", "DAEMON_STOP", "Stop the daemon; its containers go on"),
}
Table = dict[str, tuple[str, str, str]]
GROUPS: dict[str, tuple[str, Table]] = {
    "container": ("Manage containers", CONTAINER),
    "daemon": ("Run the daemon", DAEMON),
    "image": ("Manage images", IMAGE),
    "system": ("Manage minidocker", SYSTEM),
}
TOP: Table = {
    **{name: entry for name, entry in CONTAINER.items() if name not in ("ls", "inspect", "prune")},
    "events": SYSTEM["events"],
    "history": IMAGE["history"],
    "images": IMAGE["ls"],
    "import": IMAGE["import"],
    "info": SYSTEM["info"],
    "inspect": ("inspect", "INSPECT", "Show all about containers and images"),
    "load": IMAGE["load"],
    "login": ("registries", "LOGIN", "Authenticate to a registry"),
    "logout": ("registries", "LOGOUT", "Log out from a registry"),
    "ps": CONTAINER["ls"],
    "pull": IMAGE["pull"],
    "rmi": IMAGE["rm"],
    "save": IMAGE["save"],
    "search": ("registries", "SEARCH", "Search Docker Hub for images"),
    "tag": IMAGE["tag"],
    "version": ("system", "VERSION", "Show the version information"),
}
# Other names that Docker has for the same, not listed in help.
ALIASES = {"list": "ls", "ps": "ls", "remove": "rm"}

GLOBAL: tuple[Flag, ...] = (
    switch("debug", "Show where in the program a failure came from", "D"),
    many("host", "Daemon socket to connect to (unix:///PATH)", "H"),
    switch("version", "Print version information and quit", "v"),
)


def dispatch(argv: Sequence[str]) -> int:
    """Find the command that ``argv`` names, and run it."""
    values, rest = read_flags("", argv, GLOBAL)
    if values["version"]:
        from minidocker.client.commands.system import version_line

        print(version_line())
        return 0
    if len(values["host"]) > 1:
        raise Failed("Specify only one -H")
    if values["help"] or not rest:
        print(overview("", "A container engine that one person can read", TOP))
        return 0
    from minidocker.client.session import Session

    session = Session(next(iter(values["host"]), None), debug=values["debug"])
    name, *rest = rest
    if name not in GROUPS:
        return call(session, name, find("", TOP, name), rest)
    summary, table = GROUPS[name]
    values, rest = read_flags(name, rest, ())
    if values["help"] or not rest:
        print(overview(name, summary, table))
        return 0
    return call(session, f"{name} {rest[0]}", find(name, table, rest[0]), rest[1:])


def read_flags(
    group: str, args: Sequence[str], flags: Sequence[Flag]
) -> tuple[dict[str, Any], list[str]]:
    """The flags before a command's name, among them "help"; and what follows."""
    try:
        values, rest = parse(args, flags, flags_first=True)
    except WrongLine as error:
        raise usage_failure(error, group, None) from None
    except HelpWanted:
        return {"help": True, "version": False, "host": ()}, []
    return {"help": False, **values}, rest


def find(group: str, table: Table, name: str) -> Verb:
    """The command called ``name``, imported now.  Raises ``Failed`` if there is none."""
    known = name if name in table or not group else ALIASES.get(name, name)
    if known not in table:
        raise Failed(unknown(group, table, name))
    module, attribute, _ = table[known]
    verb: Verb = getattr(importlib.import_module(f"minidocker.client.commands.{module}"), attribute)
    return verb


def unknown(group: str, table: Table, name: str) -> str:
    """The message for a command that there is not, with the nearest that there are."""
    import difflib

    program = f"{PROGRAM} {group}".rstrip()
    there = [*table, *(() if group else GROUPS)]
    near = difflib.get_close_matches(name, there, n=3, cutoff=0.6)
    hint = "".join(f"\n\t{each}" for each in near)
    hint = f"\n\nDid you mean this?{hint}" if near else ""
    more = f"Run '{program} --help' for more information"
    return f"{PROGRAM}: unknown command: {program} {name}{hint}\n\n{more}"


def overview(group: str, summary: str, table: Table) -> str:
    """What ``--help`` prints for the program and for a group of commands."""
    program = f"{PROGRAM} {group}".rstrip()
    lines = [f"Usage:  {program} COMMAND", "", summary]
    if not group:
        lines += ["", "Management Commands:"]
        lines += [f"  {name:11} {GROUPS[name][0]}" for name in sorted(GROUPS)]
    lines += ["", "Commands:"]
    lines += [f"  {name:11} {table[name][2]}" for name in sorted(table)]
    if not group:
        lines += ["", "Global Options:"]
        lines += [f"  -{each.short}, --{each.name:14} {each.help}" for each in GLOBAL]
    return "\n".join([*lines, "", f"Run '{program} COMMAND --help' for more on a command."])


def main(argv: Sequence[str]) -> int:
    """Run the command line ``argv`` (without the program's name); gives its exit code."""
    try:
        code = dispatch(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141  # as a shell names the end by SIGPIPE: who read our output has had enough
    except MinidockerError as error:
        if "-D" in argv or "--debug" in argv:
            raise
        return complain(error)


def complain(error: MinidockerError) -> int:
    """Say it on standard error; the exit code it stands for."""
    if str(error):
        print(error, file=sys.stderr)
    return error.code if isinstance(error, Failed) else 1
