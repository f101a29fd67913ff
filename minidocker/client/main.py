"""The command line's root: finds the command, runs it, turns what went wrong into words.

Commands are imported when they are called, since imports are most of the time
that a short command takes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from minidocker.client.commandline import (
    HELP,
    PROGRAM,
    Failed,
    Verb,
    VerbCommand,
    rewrite,
    usage_failure,
)
from minidocker.client.flags import Flag, many, switch
from minidocker.errors import MinidockerError

# name -> (module under minidocker.client.commands, the Verb there, what it does)
CONTAINER = {
    "attach": ("streaming", "ATTACH", "Attach local streams to a running container"),
    "create": ("run", "CREATE", "Create a new container"),
    "exec": ("execute", "EXEC", "Execute a command in a running container"),
    "inspect": ("inspect", "CONTAINER_INSPECT", "Show all about one or more containers"),
    "kill": ("life", "KILL", "Kill one or more running containers"),
    "logs": ("streaming", "LOGS", "Fetch the logs of a container"),
    "ls": ("listing", "PS", "List containers"),
    "pause": ("life", "PAUSE", "Pause all processes within one or more containers"),
    "rename": ("life", "RENAME", "Rename a container"),
    "restart": ("life", "RESTART", "Restart one or more containers"),
    "rm": ("life", "RM", "Remove one or more containers"),
    "run": ("run", "RUN", "Create and run a new container from an image"),
    "start": ("start", "START", "Start one or more stopped containers"),
    "stats": ("stats", "STATS", "Display resource usage statistics"),
    "stop": ("life", "STOP", "Stop one or more running containers"),
    "top": ("listing", "TOP", "Display the running processes of a container"),
    "unpause": ("life", "UNPAUSE", "Unpause all processes within one or more containers"),
    "wait": ("life", "WAIT", "Block until containers stop, then print their exit codes"),
}
IMAGE = {
    "inspect": ("inspect", "IMAGE_INSPECT", "Show all about one or more images"),
    "ls": ("listing", "IMAGES", "List images"),
    "pull": ("images", "PULL", "Download an image from a registry"),
    "rm": ("images", "RMI", "Remove one or more images"),
    "tag": ("images", "TAG", "Create a tag that refers to an image"),
}
SYSTEM = {
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
    **{name: entry for name, entry in CONTAINER.items() if name not in ("ls", "inspect")},
    "events": SYSTEM["events"],
    "images": IMAGE["ls"],
    "info": SYSTEM["info"],
    "inspect": ("inspect", "INSPECT", "Show all about containers and images"),
    "ps": CONTAINER["ls"],
    "pull": IMAGE["pull"],
    "rmi": IMAGE["rm"],
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


class Group(click.Group):
    """Commands that are imported when they are asked for; groups of them."""

    def __init__(self, path: str, help: str, table: Table, groups: Sequence[str] = ()) -> None:
        super().__init__(path or PROGRAM, add_help_option=False, no_args_is_help=False)
        self.invoke_without_command = True
        self.path, self.summary, self.table, self.groups = path, help, table, groups

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command or group called ``name``, imported now; None if there is none."""
        if name in self.groups:
            return Group(name, *GROUPS[name])
        name = name if name in self.table else ALIASES.get(name, name) if self.path else name
        if name not in self.table:
            return None
        module, attribute, _ = self.table[name]
        verb: Verb = getattr(
            importlib.import_module(f"minidocker.client.commands.{module}"), attribute
        )
        return VerbCommand(name, f"{self.path} {name}".strip(), verb)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*self.table, *self.groups])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = () if self.path else GLOBAL
        args = rewrite(args, flags, flags_first=True)
        if HELP in args or not (args or self.params):
            click.echo(self.overview())
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        if command is None:
            raise Failed(self.unknown(args[0]))
        return args[0], command, args[1:]

    def unknown(self, name: str) -> str:
        """The message for a command that there is not, with the nearest that there are."""
        import difflib

        program = f"{PROGRAM} {self.path}".rstrip()
        near = difflib.get_close_matches(name, [*self.table, *self.groups], n=3, cutoff=0.6)
        hint = "".join(f"\n\t{each}" for each in near)
        hint = f"\n\nDid you mean this?{hint}" if near else ""
        more = f"Run '{program} --help' for more information"
        return f"{PROGRAM}: unknown command: {program} {name}{hint}\n\n{more}"

    def overview(self) -> str:
        """What ``--help`` prints for a group."""
        program = f"{PROGRAM} {self.path}".rstrip()
        lines = [f"Usage:  {program} COMMAND", "", self.summary]
        if self.groups:
            lines += ["", "Management Commands:"]
            lines += [f"  {name:11} {GROUPS[name][0]}" for name in self.groups]
        lines += ["", "Commands:"]
        lines += [f"  {name:11} {self.table[name][2]}" for name in sorted(self.table)]
        if not self.path:
            lines += ["", "Global Options:"]
            lines += [f"  -{each.short}, --{each.name:14} {each.help}" for each in GLOBAL]
        return "\n".join([*lines, "", f"Run '{program} COMMAND --help' for more on a command."])


class Root(Group):
    """``minidocker`` itself: the global options, and which daemon they mean."""

    def __init__(self) -> None:
        super().__init__("", "A container engine that one person can read", TOP, sorted(GROUPS))
        from minidocker.client.commandline import option

        self.params = [option(flag) for flag in GLOBAL]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with a ``Session`` for the daemon that the global options name."""
        if ctx.params["version"]:
            from minidocker.client.commands.system import version_line

            click.echo(version_line())
            return 0
        if len(ctx.params["host"]) > 1:
            raise Failed("Specify only one -H")
        if not ctx._protected_args and not ctx.args:
            click.echo(self.overview())
            return 0
        from minidocker.client.session import Session

        ctx.obj = Session(next(iter(ctx.params["host"]), None), debug=ctx.params["debug"])
        return super().invoke(ctx)


def main(argv: Sequence[str]) -> int:
    """Run the command line ``argv`` (without the program's name); gives its exit code."""
    root = Root()
    try:
        code = root.main(list(argv), PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        command = error.ctx.command if error.ctx else None
        if isinstance(command, VerbCommand):
            return complain(usage_failure(error, command.path, command.verb))
        return complain(usage_failure(error, "", None))
    except (KeyboardInterrupt, click.Abort):
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
