"""``python -m minidocker``: the command line; ``daemon run`` is the daemon itself."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """The entry point, for ``python -m minidocker`` and the ``minidocker`` script.

    Only what is asked for is imported: a client's start-up time is its imports.
    """
    if sys.argv[1:3] == ["daemon", "run"]:
        daemon = importlib.import_module("minidocker.daemon.main")
        sys.exit(daemon.main(sys.argv[3:]))
    client = importlib.import_module("minidocker.client.main")
    sys.exit(client.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
