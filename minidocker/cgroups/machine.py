"""What this machine's cgroups can do, as one value: the second input of ``validate``.

The drivers read it from the files that the kernel offers; tests write it down.
"""

from __future__ import annotations

from dataclasses import dataclass

# Docker's bound on a CPU or node number (moby, pkg/sysinfo and pkg/parsers): a
# list like "0-9999999999" must not become that many Python integers.
HIGHEST_CPU = 8192


@dataclass(frozen=True)
class Machine:
    """``cpus`` and ``mems``: the CPUs and memory nodes to be had, as lists ("0-3,7").

    ``supports``: the names of the fields of ``Resources`` for which this kernel
    has a file in a cgroup that is mounted.
    """

    cpus: str
    mems: str
    cpu_count: int
    supports: frozenset[str]


def parse_list(text: str) -> frozenset[int]:
    """The numbers in the kernel's list format: ``"0-2,5"`` is {0, 1, 2, 5}, ``""`` is none.

    Raises ``ValueError``, worded as Docker's parser does, for anything else
    and for numbers above ``HIGHEST_CPU``.  (cpuset(7), "List format")
    """
    numbers: set[int] = set()
    if text == "":
        return frozenset()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"invalid format: {text}")
        low, high = int(first), int(last) if dash else int(first)
        if high < low:
            raise ValueError(f"invalid format: {text}")
        if high > HIGHEST_CPU:
            raise ValueError(f"value of out range, maximum is {HIGHEST_CPU}")
        numbers.update(range(low, high + 1))
    return frozenset(numbers)


def format_list(numbers: frozenset[int]) -> str:
    """The shortest list that ``parse_list`` reads as ``numbers``, as the kernel prints it."""
    parts: list[str] = []
    start = previous = None
    for number in [*sorted(numbers), None]:
        if start is not None and previous is not None and number != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            start = number
        elif start is None:
            start = number
        previous = number
    return ",".join(parts)
