"""The command line, the sockets, and what keeps two daemons apart."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from minidocker.daemon import machine
from minidocker.daemon.main import main
from minidocker.daemon.options import parse_options
from minidocker.daemon.server import check_address, listen, remove_socket_files
from minidocker.daemon.system import filesystem_of, forwards_ipv4
from minidocker.errors import Conflict, Forbidden, InvalidParameter, SystemFailure
from minidocker.wire.http import TcpAddress, UnixAddress

# Options


def test_the_defaults_are_in_var_and_run() -> None:
    options = parse_options([])
    assert str(options.data_root) == "/var/lib/minidocker"
    assert options.hosts == (UnixAddress("/run/minidocker/minidocker.sock"),)
    assert str(options.pidfile) == "/run/minidocker/minidocker.pid"
    assert options.ready_fd is None


def test_flags_are_dockerds(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    argv = ["-H", f"unix://{root}/a", "--host=tcp://127.0.0.1:9", "--data-root", f"{root}/d"]
    argv += ["--exec-root", f"{root}/x", "-p", f"{root}/pid", "-D", "--ready-fd", "7"]
    argv += ["--registry-mirror", "http://m:5000/", "--insecure-registry", "10.0.0.0/8"]
    options = parse_options(argv)
    assert options.hosts == (UnixAddress(f"{root}/a"), TcpAddress("127.0.0.1", 9))
    assert (options.data_root, options.exec_root) == (root / "d", root / "x")
    assert (options.pidfile, options.ready_fd, options.debug) == (root / "pid", 7, True)
    assert options.registry.mirrors == ("http://m:5000",)
    assert options.registry.insecure == ("10.0.0.0/8",)


def test_the_socket_and_the_pidfile_follow_the_exec_root(tmp_path: Path) -> None:
    options = parse_options(["--exec-root", str(tmp_path)])
    assert options.hosts == (UnixAddress(f"{tmp_path.resolve()}/minidocker.sock"),)
    assert options.pidfile.parent == tmp_path.resolve()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--nope"], "unrecognized arguments: --nope"),
        (["--data"], "unrecognized arguments: --data"),  # no abbreviations
        (["-H", "ftp://x"], "ftp"),
        (["-H", "tcp://0.0.0.0:1"], "only loopback"),
        (["--registry-mirror", "m:5000"], "invalid mirror"),
        (["--insecure-registry", "http://x"], "should not contain"),
        (["--ready-fd", "x"], "invalid int value"),
    ],
)
def test_a_bad_flag_is_one_sentence_and_exit_code_1(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("minidocker daemon: ")
    assert err.count("\n") == 1


# Machine


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Forbidden, match="must be run as root"):
        machine.need_root()


def test_overlay_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no modprobe
    kinds = tmp_path / "filesystems"
    kinds.write_text("nodev\tproc\n\text4\n")
    with pytest.raises(SystemFailure, match="modprobe overlay"):
        machine.need_overlay(kinds)
    kinds.write_text("nodev\toverlay\n")
    machine.need_overlay(kinds)


MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:5 / /var rw - xfs /dev/sdb rw
24 22 0:6 / /var/lib/docker rw,shared:1 - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "extfs"), ("/variable", "extfs"), ("/var/lib", "xfs"), ("/var/lib/docker/x", "overlay")],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_a_data_root_on_an_overlay_is_refused_with_a_way_out() -> None:
    with pytest.raises(SystemFailure, match="choose a --data-root on"):
        machine.need_upper(Path("/var/lib/docker"), MOUNTS)
    machine.need_upper(Path("/var/lib"), MOUNTS)


def test_two_daemons_on_one_root_are_refused(tmp_path: Path) -> None:
    with machine.only_daemon(tmp_path, "--data-root"):
        said = rf"another daemon \(process {os.getpid()}\) uses {tmp_path}.*--data-root"
        with (
            pytest.raises(Conflict, match=said),
            machine.only_daemon(tmp_path, "--data-root"),
        ):
            pass
    with machine.only_daemon(tmp_path, "--data-root"):
        pass


def test_a_living_daemons_pidfile_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    code = "import time; print(flush=True); time.sleep(60)"
    argv = [sys.executable, "-c", code, "minidocker", "daemon", "run"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            path.write_text(f"{other.pid}\n")
            with (
                pytest.raises(Conflict, match=f"process number {other.pid}: stop it"),
                machine.pid_file(path),
            ):
                pass
        finally:
            other.kill()
    assert path.read_text() == f"{other.pid}\n"
    with machine.pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_the_pidfile_is_there_while_we_are(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "pid"
    with machine.pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert not path.exists()
    with machine.pid_file(path):
        path.write_text("1\n")  # somebody else's now
    assert path.exists()
    with (
        pytest.raises(SystemFailure, match="cannot write the pidfile"),
        machine.pid_file(path / "x"),
    ):
        pass


def test_the_engine_keeps_its_id(tmp_path: Path) -> None:
    first = machine.engine_id(tmp_path / "id")
    assert len(first) == 36
    assert machine.engine_id(tmp_path / "id") == first


def test_a_root_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemFailure, match=r"cannot make the directory .*file/d: Not a directory"):
        machine.make_directory(tmp_path / "file" / "d", 0o711)


# Sockets


def test_the_socket_is_for_its_group_only(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "d.sock"))
    with listen(address):
        mode = os.stat(address.path).st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660
    remove_socket_files([address, TcpAddress("127.0.0.1", 1)])
    assert os.listdir(tmp_path) == []


def test_no_folder_is_made_for_a_socket(tmp_path: Path) -> None:
    with pytest.raises(SystemFailure, match=r"cannot listen on .*: No such file or directory"):
        listen(UnixAddress(str(tmp_path / "a" / "d.sock")))
    assert os.listdir(tmp_path) == []


def test_a_dead_daemons_socket_is_replaced_and_a_living_one_refused(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "d.sock"))
    listen(address).close()
    with listen(address), pytest.raises(SystemFailure, match="something else does"):
        listen(address)


def test_a_file_in_the_sockets_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SystemFailure, match="it is no socket"):
        listen(UnixAddress(str(tmp_path / "file")))
    assert (tmp_path / "file").read_text() == "mine"


def test_the_longest_path_works(tmp_path: Path) -> None:
    short = Path(os.path.relpath(tmp_path, "/tmp"))
    folder = Path("/tmp") / short
    name = "n" * (107 - len(str(folder)) - 1)
    if len(str(folder)) > 105:
        pytest.skip("the folder for temporary files has too long a name for a socket's path")
    with listen(UnixAddress(str(folder / name))), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / name))


def test_tcp_listens_on_loopback() -> None:
    with listen(TcpAddress("127.0.0.1", 0)) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_loopback_has_many_names(host: str) -> None:
    assert isinstance(check_address(f"tcp://{host}:1"), TcpAddress)


@pytest.mark.parametrize("host", ["192.0.2.1", "example.com", "0.0.0.0", "[::]"])
def test_other_interfaces_are_refused(host: str) -> None:
    with pytest.raises(InvalidParameter, match="only loopback"):
        check_address(f"tcp://{host}:1")


def test_whether_packets_are_passed_on_is_read_from_the_kernel(tmp_path: Path) -> None:
    setting = tmp_path / "ip_forward"
    for text, told in (("1\n", True), ("0\n", False)):
        setting.write_text(text)
        assert forwards_ipv4(setting) is told
    assert not forwards_ipv4(tmp_path / "no such setting")
