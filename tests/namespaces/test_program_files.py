"""Where a program is and what would run it: made files, the shell's rules and the kernel's word."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidocker.namespaces.program import _failure, exit_code, find_program, interpreter_of
from tests.support.need import need_program

KINDS = ("nothing", "program", "text", "directory", "link", "dead link", "fifo", "no directory")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for each kind of thing that a name in PATH can be."""
    made = tmp_path_factory.mktemp("path")
    for kind in KINDS[:-1]:
        (made / kind).mkdir()
    for kind, mode in (("program", 0o755), ("text", 0o644)):
        (made / kind / "it").write_text("#!/bin/sh\n")
        (made / kind / "it").chmod(mode)
    (made / "directory" / "it").mkdir()
    (made / "link" / "it").symlink_to(made / "program" / "it")
    (made / "dead link" / "it").symlink_to(made / "nowhere")
    os.mkfifo(made / "fifo" / "it", 0o644)
    os.mkfifo(made / "fifo" / "all may run", 0o755)
    return made


@given(kinds=st.lists(st.sampled_from(KINDS), max_size=5))
def test_a_name_is_found_where_the_shell_finds_it(folder: Path, kinds: list[str]) -> None:
    search_path = ":".join(str(folder / kind) for kind in kinds)
    wanted = shutil.which("it", path=search_path)
    if wanted:
        assert find_program("it", search_path) == wanted
        return
    denied = {"text", "fifo"} & set(kinds)
    with pytest.raises(OSError, match='exec: "it": ') as failed:
        find_program("it", search_path)
    assert failed.value.errno == (errno.EACCES if denied else errno.ENOENT)
    said = "permission denied" if denied else "executable file not found in $PATH"
    assert str(failed.value).endswith(said)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("nothing", errno.ENOENT),
        ("text", errno.EACCES),
        ("directory", errno.EISDIR),
        ("dead link", errno.ENOENT),
        ("fifo", errno.EACCES),
        ("program/it", errno.ENOTDIR),
    ],
)
def test_a_path_that_cannot_be_run_says_why(folder: Path, kind: str, number: int) -> None:
    with pytest.raises(OSError, match="exec: ") as failed:
        find_program(f"{folder}/{kind}/it", str(folder / "program"))
    assert failed.value.errno == number


def test_what_is_no_file_is_no_program_though_all_may_run_it(folder: Path) -> None:
    with pytest.raises(PermissionError, match="permission denied"):
        find_program(f"{folder}/fifo/all may run", "")


def test_a_path_is_taken_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for path in (f"{folder}/program/it", f"{folder}/link/it", "./program/it", "link/it"):
        assert find_program(path, "/nowhere") == path


def test_an_empty_entry_of_the_path_is_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "program")
    for search_path in ("", ":/nowhere", "/nowhere:"):
        assert Path(find_program("it", search_path)).samefile("it")


def test_the_engines_own_interpreter_is_no_program() -> None:
    with pytest.raises(OSError, match="too many levels of symbolic links"):
        find_program("/proc/self/exe", "")


@pytest.fixture(scope="module")
def scripts() -> Iterator[Path]:
    # A short path: the kernel reads 256 bytes of the first line.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


# What Python calls white space, and the kernel does not.
letters = st.sampled_from(["a", "\r", "\x0b", "\x0c", "\x1c", "é", "#", ";"])
blanks = st.text(st.sampled_from(" \t"), max_size=2)


@settings(max_examples=40, deadline=None)
@given(
    name=st.text(letters, min_size=1, max_size=3),
    before=blanks,
    after=st.sampled_from(["", " ", "\t", " -e", "\t-e ", "  -e"]),
)
def test_a_script_is_run_by_the_interpreter_that_the_kernel_takes(
    scripts: Path, name: str, before: str, after: str
) -> None:
    interpreter, script = scripts / f"sh{name}", scripts / "script"
    script.write_text(f"#!{before}{interpreter}{after}\nexit 23\n", newline="")
    script.chmod(0o755)
    interpreter.symlink_to("/bin/sh")
    try:
        assert subprocess.run([script], check=False).returncode == 23
        assert interpreter_of(str(script)) == str(interpreter)
    finally:
        interpreter.unlink()
    with pytest.raises(FileNotFoundError) as kernels:
        subprocess.run([script], check=False)
    said = str(_failure("script", str(script), kernels.value))
    assert f"(its interpreter {interpreter} is missing)".replace("\r", "\\r") in said


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda data: b"\x7fELF\2\1" + data))
def test_any_file_has_an_interpreter_or_none(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        found = interpreter_of(file.name)
    if not data.startswith((b"#!", b"\x7fELF")):
        assert found == ""


def test_a_file_without_an_interpreter_misses_none(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    error = FileNotFoundError(errno.ENOENT, "")
    said = _failure("it", str(tmp_path / "empty"), error)
    assert said.strerror == 'exec: "it": no such file or directory'


def test_a_file_that_cannot_be_read_has_no_interpreter(tmp_path: Path) -> None:
    assert interpreter_of(str(tmp_path / "missing")) == ""
    assert interpreter_of(str(tmp_path)) == ""


def elf(order: str, kinds: list[int], path: bytes) -> bytes:
    """An ELF file of 64 bits with a program header of each kind, written from elf(5)."""
    table, size = 64, 56
    place = table + size * len(kinds)
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    header = struct.pack(
        f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, table, 0, 0, 64, size, len(kinds), 0, 0, 0
    )
    entries = b"".join(
        struct.pack(f"{order}IIQQQQQQ", kind, 4, place, 0, 0, len(path) + 1, len(path) + 1, 1)
        for kind in kinds
    )
    return ident + header + entries + path + b"\0"


@given(st.sampled_from("<>"), st.lists(st.integers(0, 7), max_size=6), st.sampled_from([1, 30]))
def test_the_interpreter_of_a_program_is_its_segment_3(
    order: str, kinds: list[int], length: int
) -> None:
    path = b"/lib64/ld" + b"x" * length
    with tempfile.NamedTemporaryFile() as file:
        file.write(elf(order, kinds, path))
        file.flush()
        assert interpreter_of(file.name) == (path.decode() if 3 in kinds else "")


def mapped_loader(told: bytes) -> str:
    """The file at AT_BASE, from a process's own auxv and maps (getauxval(3)); "" for none."""
    at_base, base, at = 7, 0, 0
    while (pair := struct.unpack_from("QQ", told, at))[0]:
        base = pair[1] if pair[0] == at_base else base
        at += 16
    maps = [line.split() for line in told[at + 16 :].decode().splitlines()]
    starts = {int(fields[0].partition("-")[0], 16): fields[-1] for fields in maps}
    return starts[base] if base else ""


def test_a_real_program_is_run_by_what_the_kernel_mapped_for_it() -> None:
    proc, cat = Path("/proc/self"), need_program("cat")
    command = [cat, proc / "auxv", proc / "maps"]
    told = {
        str(proc / "exe"): (proc / "auxv").read_bytes() + (proc / "maps").read_bytes(),
        cat: subprocess.run(command, capture_output=True, check=True).stdout,
    }
    for program, said in told.items():
        found = interpreter_of(program)
        assert (os.path.realpath(found) if found else "") == mapped_loader(said)


def test_a_static_program_has_no_interpreter() -> None:
    assert interpreter_of(need_program("busybox")) == ""


@given(st.integers(0, 255))
def test_an_exit_code_is_told_as_it_is(code: int) -> None:
    assert exit_code(code << 8) == code


@given(st.integers(1, 64), st.sampled_from([0, 0x80]))
def test_a_signal_is_told_as_a_shell_tells_it(number: int, dumped: int) -> None:
    assert exit_code(number | dumped) == 128 + number


@pytest.mark.parametrize("end", ["exit 0", "exit 7", "kill -9 $$", "kill -15 $$"])
def test_an_end_is_told_as_this_shell_tells_it(end: str) -> None:
    told = subprocess.run(
        ["sh", "-c", f"sh -c '{end}'; echo $?"], capture_output=True, text=True, check=True
    )
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", end], {})
    assert exit_code(os.waitpid(pid, 0)[1]) == int(told.stdout)
