"""What a program needs, as its own loader finds it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.images.base import library_directories
from minidocker.images.elf import Elf, parse_elf, shared_libraries
from tests.support.need import need_program

PROGRAM = Path(sys.executable).resolve().read_bytes()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_program_have_no_needs(data: bytes) -> None:
    assert parse_elf(data) is None or data.startswith(b"\x7fELF")


@given(st.integers(4, len(PROGRAM)), st.integers(0, 600), st.binary(min_size=1, max_size=8))
def test_a_damaged_program_is_read_without_a_crash(cut: int, at: int, noise: bytes) -> None:
    head = PROGRAM[: min(cut, 5000)]
    parse_elf(head[:at] + noise + head[at + len(noise) :])


def test_a_static_program_needs_nothing() -> None:
    elf = parse_elf(Path(need_program("busybox")).read_bytes())
    assert elf == Elf(None, (), ())


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["sh", "ls", "openssl"])
def test_the_libraries_are_those_that_ldd_finds(name: str) -> None:
    ldd, program = need_program("ldd"), Path(need_program(name)).resolve()
    said = subprocess.run([ldd, program], capture_output=True, text=True, check=True).stdout
    wanted = {Path(path).resolve() for path in re.findall(r"=> (/\S+)", said)}
    found = shared_libraries([program], library_directories(), parse_elf)
    # A library that only the loader itself is, ldd shows as the loader.
    loaders = {Path(path).resolve() for path in re.findall(r"^\s+(/\S+) \(", said, re.MULTILINE)}
    assert {path.resolve() for path in found.values()} - loaders == wanted - loaders


def test_a_library_that_is_nowhere_is_named(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"needs the library lib\.so"):
        shared_libraries([program], [tmp_path], lambda data: Elf(None, ("lib.so",), ()))
