"""A pull in a process of its own, to be killed: ``python -m tests.images.pull_program ROOT NAME``.

Prints the image's ID, or the error and exits with 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

from minidocker.errors import MinidockerError
from tests.images.pulls import fetch
from tests.images.stores import open_store

if __name__ == "__main__":
    with open_store(Path(sys.argv[1])) as store:
        try:
            print(fetch(store, sys.argv[2]).id)
        except MinidockerError as error:
            sys.exit(f"{type(error).__name__}: {error}")
