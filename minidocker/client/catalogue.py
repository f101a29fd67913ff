"""All commands: their names, where they are, and what each does.

Help, completion and the tests are made from these tables.  A command's module is imported
when it is called, since imports are most of the time that a short command takes.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

from minidocker.client.commandline import PROGRAM, Failed, Verb
from minidocker.client.flags import Flag, many, refused, string, switch
from minidocker.errors import InvalidParameter


class Entry(NamedTuple):
    """``verb``: a name in ``minidocker.client.commands.<module>``."""

    module: str
    verb: str
    summary: str

    def load(self) -> Verb:
        module = importlib.import_module(f"minidocker.client.commands.{self.module}")
        verb: Verb = getattr(module, self.verb)
        return verb


Table = dict[str, Entry]

CONTAINER: Table = {
    "attach": Entry(
        "attach",
        "ATTACH",
        "Attach local standard input, output, and error streams to a running container",
    ),
    "commit": Entry("commit", "COMMIT", "Create a new image from a container's changes"),
    "cp": Entry("copy", "CP", "Copy files/folders between a container and the local filesystem"),
    "create": Entry("run", "CREATE", "Create a new container"),
    "diff": Entry(
        "files", "DIFF", "Inspect changes to files or directories on a container's filesystem"
    ),
    "exec": Entry("execute", "EXEC", "Execute a command in a running container"),
    "export": Entry("files", "EXPORT", "Export a container's filesystem as a tar archive"),
    "inspect": Entry(
        "inspect", "CONTAINER_INSPECT", "Display detailed information on one or more containers"
    ),
    "kill": Entry("life", "KILL", "Kill one or more running containers"),
    "logs": Entry("logs", "LOGS", "Fetch the logs of a container"),
    "ls": Entry("containers", "PS", "List containers"),
    "pause": Entry("life", "PAUSE", "Pause all processes within one or more containers"),
    "port": Entry(
        "containers", "PORT", "List port mappings or a specific mapping for the container"
    ),
    "prune": Entry("prune", "CONTAINER_PRUNE", "Remove all stopped containers"),
    "rename": Entry("life", "RENAME", "Rename a container"),
    "restart": Entry("life", "RESTART", "Restart one or more containers"),
    "rm": Entry("life", "RM", "Remove one or more containers"),
    "run": Entry("run", "RUN", "Create and run a new container from an image"),
    "start": Entry("start", "START", "Start one or more stopped containers"),
    "stats": Entry(
        "stats", "STATS", "Display a live stream of container(s) resource usage statistics"
    ),
    "stop": Entry("life", "STOP", "Stop one or more running containers"),
    "top": Entry("containers", "TOP", "Display the running processes of a container"),
    "unpause": Entry("life", "UNPAUSE", "Unpause all processes within one or more containers"),
    "update": Entry("update", "UPDATE", "Update configuration of one or more containers"),
    "wait": Entry(
        "life", "WAIT", "Block until one or more containers stop, then print their exit codes"
    ),
}
IMAGE: Table = {
    "history": Entry("history", "HISTORY", "Show the history of an image"),
    "import": Entry(
        "archives", "IMPORT", "Import the contents from a tarball to create a filesystem image"
    ),
    "inspect": Entry(
        "inspect", "IMAGE_INSPECT", "Display detailed information on one or more images"
    ),
    "load": Entry("archives", "LOAD", "Load an image from a tar archive or STDIN"),
    "ls": Entry("images", "IMAGES", "List images"),
    "prune": Entry("prune", "IMAGE_PRUNE", "Remove unused images"),
    "pull": Entry("registries", "PULL", "Download an image from a registry"),
    "rm": Entry("images", "RMI", "Remove one or more images"),
    "save": Entry(
        "archives",
        "SAVE",
        "Save one or more images to a tar archive (streamed to STDOUT by default)",
    ),
    "tag": Entry("images", "TAG", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
}
SYSTEM: Table = {
    "df": Entry("disk_usage", "DF", "Show disk usage"),
    "events": Entry("events", "EVENTS", "Get real time events from the server"),
    "info": Entry("system", "INFO", "Display system-wide information"),
    "prune": Entry("prune", "SYSTEM_PRUNE", "Remove unused data"),
}
DAEMON: Table = {
    "run": Entry("daemon", "DAEMON_RUN", "Be the daemon, in the foreground"),
    "start": Entry("daemon", "DAEMON_START", "Start the daemon in the background"),
    "status": Entry("daemon", "DAEMON_STATUS", "Say whether the daemon runs"),
    "stop": Entry("daemon", "DAEMON_STOP", "Stop the daemon; its containers go on"),
}
GROUPS: dict[str, tuple[str, Table]] = {
    "container": ("Manage containers", CONTAINER),
    "daemon": ("Run the daemon", DAEMON),
    "image": ("Manage images", IMAGE),
    "system": ("Manage minidocker", SYSTEM),
}
TOP: Table = {
    **{name: entry for name, entry in CONTAINER.items() if name not in ("ls", "inspect", "prune")},
    **{name: IMAGE[name] for name in ("history", "import", "load", "pull", "save", "tag")},
    "completion": Entry(
        "completion", "COMPLETION", "Print the completion script for bash, zsh or fish"
    ),
    "events": SYSTEM["events"],
    "images": IMAGE["ls"],
    "info": SYSTEM["info"],
    "inspect": Entry("inspect", "INSPECT", "Return low-level information on Docker objects"),
    "login": Entry("registries", "LOGIN", "Authenticate to a registry"),
    "logout": Entry("registries", "LOGOUT", "Log out from a registry"),
    "ps": CONTAINER["ls"],
    "rmi": IMAGE["rm"],
    "search": Entry("registries", "SEARCH", "Search Docker Hub for images"),
    "version": Entry("system", "VERSION", "Show the version information"),
}
# Asked for by the completion scripts, and by nobody else.
COMPLETE = Entry("completion", "COMPLETE", "Print what may stand next on a command line")

# Other names that Docker has for the same within a group.
ALIASES: dict[str, dict[str, str]] = {
    "container": {"list": "ls", "ps": "ls", "remove": "rm"},
    "image": {"list": "ls", "remove": "rm"},
}

# What the docker command has and this one has not, and why.
ABSENT = {
    "build": "images are not built by this engine yet: make one with commit, import or load",
    "builder": "images are not built by this engine yet",
    "buildx": "images are not built by this engine yet",
    "compose": "this command has no plugins: point Docker's compose at the daemon's socket",
    "context": "there are no contexts: name the daemon with -H or DOCKER_HOST",
    "manifest": "this engine keeps one platform of an image",
    "network": "networks are managed by the docker command for now: docker -H ... network",
    "plugin": "this engine takes no plugins",
    "push": "images are not pushed to a registry by this engine yet: use save",
    "swarm": "this engine is one machine's",
    "trust": "signatures are not checked",
    "volume": "volumes are managed by the docker command for now: docker -H ... volume",
}
ABSENT |= dict.fromkeys(("config", "node", "secret", "service", "stack"), ABSENT["swarm"])


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warn", "warning", "error", "fatal", "panic", "trace"):
        raise InvalidParameter(f"Unable to parse logging level: {text}")
    return text


def _context(text: str) -> str:
    if text not in ("", "default"):
        raise InvalidParameter(ABSENT["context"])
    return text


NO_TLS = "minidocker speaks no TLS: reach a daemon elsewhere through ssh -L"

GLOBAL: tuple[Flag, ...] = (
    string("config", "Location of client config files"),
    Flag("context", "string", "Name of the context to use (only default)", "c", _context),
    switch("debug", "Show where in the program a failure came from", "D"),
    many("host", "Daemon socket to connect to", "H"),
    Flag("log-level", "string", "Set the logging level (nothing is logged here)", "l", _level),
    refused("tls", "bool", "Use TLS", NO_TLS),
    refused("tlscacert", "string", "Trust certs signed only by this CA", NO_TLS),
    refused("tlscert", "string", "Path to TLS certificate file", NO_TLS),
    refused("tlskey", "string", "Path to TLS key file", NO_TLS),
    refused("tlsverify", "bool", "Use TLS and verify the remote", NO_TLS),
    switch("version", "Print version information and quit", "v"),
)


def find(words: list[str]) -> tuple[str, Entry, list[str]]:
    """The command that ``words`` begin with: its path, itself, and the words after it.

    Raises ``Failed`` when there is none.
    """
    group = words[0] if words[0] in GROUPS else ""
    table = GROUPS[group][1] if group else TOP
    name = words[1] if group else words[0]
    name = ALIASES.get(group, {}).get(name, name)
    if (group, name) == ("", "__complete"):
        return name, COMPLETE, words[1:]
    if name not in table:
        raise Failed(unknown(group, table, name))
    return f"{group} {name}".strip(), table[name], words[2 if group else 1 :]


def unknown(group: str, table: Table, name: str) -> str:
    """The message for a command that there is not."""
    program = f"{PROGRAM} {group}".rstrip()
    if name in ABSENT:
        return f"{PROGRAM}: there is no '{program} {name}': {ABSENT[name]}"
    from minidocker.client.help import near

    usage = f"Usage:  {program}\n\n" if group else ""
    hint = "".join(f"\n\t{each}" for each in near(name, [*table, *(() if group else GROUPS)]))
    hint = f"Did you mean this?{hint}\n\n" if hint else ""
    more = f"Run '{program} --help' for more information"
    return f"{PROGRAM}: unknown command: {program} {name}\n\n{hint}{usage}{more}"
