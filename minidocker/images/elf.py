"""What a program needs to run, read from its ELF header: loader and shared libraries.

``ldd`` would run the program's loader to find out; reading the dynamic section
runs nothing.  elf(5)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_RPATH, DT_RUNPATH = 0, 1, 5, 15, 29


@dataclass(frozen=True)
class Elf:
    """``interpreter``: the loader's absolute path, None for a static program.

    ``needed``: names of libraries ("libc.so.6"); ``search``: directories that the
    program itself adds to the search (RUNPATH; $ORIGIN not yet replaced).
    """

    interpreter: str | None
    needed: tuple[str, ...]
    search: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    kind: int
    offset: int
    address: int
    size: int


def parse_elf(data: bytes) -> Elf | None:
    """The needs of a program or library; None when ``data`` is no (whole) ELF file."""
    if data[:4] != b"\x7fELF":
        return None
    try:
        wide = data[4] == 2
        order = "<" if data[5] == 1 else ">"
        segments = list(_segments(data, wide, order))
        interpreter = None
        dynamic: list[tuple[int, int]] = []
        for segment in segments:
            if segment.kind == PT_INTERP:
                interpreter = _text(data, segment.offset)
            elif segment.kind == PT_DYNAMIC:
                dynamic = list(_dynamic(data, segment, wide, order))
        strings = next((_where(value, segments) for tag, value in dynamic if tag == DT_STRTAB), 0)

        def named(*tags: int) -> list[str]:
            return [_text(data, strings + value) for tag, value in dynamic if tag in tags]

        search = [each for path in named(DT_RUNPATH, DT_RPATH) for each in path.split(":") if each]
        return Elf(interpreter, tuple(named(DT_NEEDED)), tuple(search))
    except (struct.error, IndexError, OverflowError, ValueError):
        return None


def shared_libraries(
    programs: Sequence[Path], directories: Sequence[Path], parse: Callable[[bytes], Elf | None]
) -> dict[str, Path]:
    """All the libraries that the programs need, and those need: name -> file on this host.

    ``directories`` are searched after a file's own RUNPATH.  Raises
    ``FileNotFoundError`` for a library that is nowhere.
    """
    found: dict[str, Path] = {}
    waiting = list(programs)
    while waiting:
        path = waiting.pop()
        elf = parse(path.read_bytes())
        for name in elf.needed if elf else ():
            if name in found:
                continue
            assert elf is not None
            own = [Path(each.replace("$ORIGIN", str(path.parent))) for each in elf.search]
            places = (place / name for place in (*own, *directories))
            library = next((place for place in places if place.is_file()), None)
            if library is None:
                raise FileNotFoundError(f"{path} needs the library {name}, which is nowhere")
            found[name] = library
            waiting.append(library)
    return found


def _segments(data: bytes, wide: bool, order: str) -> Iterator[Segment]:
    """The program headers: Elf64_Phdr and Elf32_Phdr have the same fields in other orders."""
    table = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    entry, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    for index in range(count):
        at = table + index * entry
        if wide:
            kind, _, offset, address, _, size = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, offset, address, _, size = struct.unpack_from(order + "IIIII", data, at)
        yield Segment(kind, offset, address, size)


def _dynamic(data: bytes, segment: Segment, wide: bool, order: str) -> Iterator[tuple[int, int]]:
    pair = struct.Struct(order + ("qQ" if wide else "iI"))
    for at in range(segment.offset, segment.offset + segment.size, pair.size):
        tag, value = pair.unpack_from(data, at)
        if tag == DT_NULL:
            return
        yield tag, value


def _where(address: int, segments: Sequence[Segment]) -> int:
    """The place in the file of what the loader will put at ``address``."""
    for segment in segments:
        if segment.kind == PT_LOAD and 0 <= address - segment.address < segment.size:
            return segment.offset + address - segment.address
    raise ValueError("an address outside of every segment")


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
