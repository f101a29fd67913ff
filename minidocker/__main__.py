"""``python -m minidocker``: the command line; ``daemon run`` is the daemon itself."""

from __future__ import annotations

import gc
import importlib
import os
import sys


def main() -> None:
    """The entry point, for ``python -m minidocker`` and the ``minidocker`` script.

    Only what is asked for is imported: a client's start-up time is its imports.
    """
    if sys.argv[1:3] == ["daemon", "run"]:
        daemon = importlib.import_module("minidocker.daemon.main")
        sys.exit(daemon.main(sys.argv[3:]))
    gc.disable()  # while modules load there is no garbage to look for; the client enables it
    client = importlib.import_module("minidocker.client.main")
    leave(client.main(sys.argv[1:]))


def leave(code: int) -> None:
    """End at once: taking a short-lived interpreter apart would take longer than most commands."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass  # who read our output has had enough
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
