"""``python -m tests.guest tests/cgroups -k oom``: any test of this repository, in the guest."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.guest import qemu


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = qemu.run(arguments, Path(folder))
    print(report.console)
    return 1 if report.exit is None else report.exit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
