"""Which program runs, as whom, and what is said when it cannot be run."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from minidocker.namespaces.capabilities import DEFAULT, mask_of
from minidocker.namespaces.trace import read_trace
from tests.namespaces.harness import Bench
from tests.support.need import need_root

pytestmark = pytest.mark.kernel


def test_an_ordinary_user_has_no_capability(bench: Bench) -> None:
    status = bench.run(["cat", "/proc/self/status"], user="user").text
    assert "CapEff:\t0000000000000000" in status
    assert f"CapBnd:\t{mask_of(DEFAULT):016x}" in status


def test_user_by_name_gets_groups_and_home(bench: Bench) -> None:
    result = bench.sh("id; echo $HOME; echo x > /dev/stdout", user="user", groups=["77"])
    assert result.text.splitlines() == [
        "uid=1000(user) gid=1000(user) groups=10(wheel),77,1000(user)",
        "/home/u",
        "x",
    ]


def test_an_unknown_user_is_named(bench: Bench) -> None:
    result = bench.run(["id"], user="nobody-here")
    assert result.events[0]["message"] == (
        "unable to find user nobody-here: no matching entries in passwd file"
    )


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("/bin/nosuch", 127, 'exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory'),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
        ("/etc", 126, 'exec: "/etc": is a directory'),
        ("/proc/self/exe", 127, "too many levels of symbolic links"),
    ],
)
def test_a_program_that_cannot_be_run_is_told_apart(
    bench: Bench, program: str, code: int, message: str
) -> None:
    result = bench.run([program])
    assert result.code == code
    assert message in result.events[0]["message"]


def test_a_missing_interpreter_is_named(bench: Bench) -> None:
    script = bench.layer / "bin/script"
    script.write_text("#!/no/such/shell\n")
    script.chmod(0o755)
    result = bench.run(["/bin/script"])
    assert result.code == 127
    assert "its interpreter /no/such/shell is missing" in result.events[0]["message"]


def test_the_interpreter_of_the_engine_cannot_be_overwritten(bench: Bench) -> None:
    """CVE-2019-5736: a script whose interpreter is /proc/self/exe makes init run itself."""
    script = bench.layer / "bin/evil"
    script.write_text("#!/proc/self/exe\nopen('/proc/self/exe', 'r+b')\n")
    script.chmod(0o755)
    result = bench.run(["/bin/evil"])
    assert "Traceback" not in result.text or "Error" in result.text
    assert result.code != 0
    launcher = Path(f"/proc/{bench.launcher_pid}/exe")
    assert "memfd:minidocker" in os.readlink(launcher)
    with pytest.raises(OSError, match=r"Text file busy|Operation not permitted"):
        os.open(launcher, os.O_RDWR)


def test_only_three_descriptors_survive(bench: Bench) -> None:
    assert bench.sh("ls /proc/1/fd; true").text.split() == ["0", "1", "2"]


def test_a_program_ignores_no_signal_though_the_engine_was_started_by_nohup(tmp_path: Path) -> None:
    need_root()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # execve and fork hand it down
    try:
        bench = Bench(tmp_path)
        try:
            status = bench.run(["cat", "/proc/self/status"]).text
        finally:
            bench.close()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert "SigIgn:\t0000000000000000" in status


@pytest.mark.parametrize(
    ("kind", "limit", "asked"), [("FSIZE", 0, "-f"), ("NOFILE", 16, "-n"), ("NOFILE", 7, "-n")]
)
def test_a_small_limit_is_the_programs_and_not_ours(
    bench: Bench, kind: str, limit: int, asked: str
) -> None:
    limits = [{"type": f"RLIMIT_{kind}", "soft": limit, "hard": limit}]
    result = bench.sh(f"ulimit {asked}", rlimits=limits)
    assert (result.text, result.code) == (f"{limit}\n", 0)
    texts = [step["text"] for step in read_trace((result.directory / "trace.jsonl").read_bytes())]
    assert texts[-1].startswith("execve(")


def test_a_limit_under_which_nothing_can_be_opened_is_said(bench: Bench) -> None:
    limits = [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}]
    result = bench.sh("true", rlimits=limits)
    assert "too many open files" in result.events[-1]["message"]
    assert result.code == 126


def test_a_user_out_of_range_is_said_so(bench: Bench) -> None:
    result = bench.sh("true", user="-1")
    assert "uids and gids must be in range 0-2147483647" in result.events[-1]["message"]
