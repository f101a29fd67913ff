"""``python -m tests.bench [--against unix:///path.sock] [--rounds N] [--json]``"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from tests.bench.figures import table
from tests.bench.measure import figures
from tests.support.netns import enter

SCHEME = "unix://"


def socket_path(text: str) -> Path:
    """``unix:///path.sock`` or a plain path."""
    path = Path(text.removeprefix(SCHEME))
    if not path.is_socket():
        raise argparse.ArgumentTypeError(f"{path} is no socket; is a daemon running there?")
    return path


def rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds; give 1 or more")
    return int(text)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="This engine and dockerd, driven by the same docker command, in turn.",
    )
    parser.add_argument(
        "--against", type=socket_path, metavar="unix:///PATH", help="instead of starting a dockerd"
    )
    parser.add_argument("--rounds", type=rounds, default=10, help="how often each command (10)")
    parser.add_argument("--json", action="store_true", help="all samples, for a program to read")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    wishes = parse(argv)
    if os.geteuid() != 0:
        sys.exit("The benchmark starts daemons and containers: run it as root.")
    enter()  # both daemons, their bridges and their rules
    found = figures(wishes.rounds, wishes.against, lambda text: print(text, file=sys.stderr))
    peer = str(wishes.against or "dockerd")
    if wishes.json:
        machine = {"kernel": platform.release(), "cpus": os.cpu_count()}
        value = {"peer": peer, "rounds": wishes.rounds, "machine": machine}
        print(json.dumps({**value, "figures": [figure.to_json() for figure in found]}, indent=2))
    else:
        print(table(found, peer))


if __name__ == "__main__":
    main()
