"""What a container sees and what it may do, on real namespaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minidocker.namespaces.capabilities import DEFAULT, mask_of
from tests.namespaces.harness import Bench

pytestmark = pytest.mark.kernel


def test_every_namespace_is_its_own(bench: Bench) -> None:
    kinds = ("mnt", "pid", "uts", "ipc", "net", "cgroup")
    inside = bench.sh("cd /proc/self/ns; for n in mnt pid uts ipc net cgroup; do readlink $n; done")
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert all(a != b for a, b in zip(inside.text.split(), outside, strict=True))


def test_no_mount_of_the_host_is_seen_inside(bench: Bench) -> None:
    points = [
        line.split()[4] for line in bench.run(["cat", "/proc/self/mountinfo"]).text.splitlines()
    ]
    assert points[0] == "/"
    assert all(point == "/" or point.startswith(("/proc", "/dev", "/sys")) for point in points)


def test_the_hosts_mount_table_does_not_change_while_it_runs(bench: Bench) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    running = bench.start(["sh", "-c", "echo up; cat"])
    running.read_until(b"up")
    assert Path("/proc/self/mountinfo").read_text() == before
    running.client.shutdown(1)
    running.finish()


def test_it_is_pid_1_and_alone(bench: Bench) -> None:
    assert bench.sh("echo $$; ls -d /proc/[0-9]*").text.split()[:2] == ["1", "/proc/1"]


def test_loopback_works(bench: Bench) -> None:
    assert bench.sh("ping -c1 -W2 127.0.0.1 >/dev/null && echo yes").text == "yes\n"


def test_the_hostname_is_its_own(bench: Bench) -> None:
    assert bench.run(["hostname"]).text == "box\n"
    assert os.uname().nodename != "box"


def test_writes_go_to_the_containers_layer_only(bench: Bench) -> None:
    result = bench.sh("echo new > /etc/new; rm /etc/group")
    assert (result.directory / "upper/etc/new").read_text() == "new\n"
    assert (bench.layer / "etc/group").exists()
    assert not (bench.layer / "etc/new").exists()


def test_the_fourteen_capabilities_and_no_more(bench: Bench) -> None:
    status = dict(
        line.split(":\t") for line in bench.run(["cat", "/proc/self/status"]).text.splitlines()
    )
    wanted = f"{mask_of(DEFAULT):016x}"
    assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd")] == [wanted] * 3
    assert status["CapInh"] == status["CapAmb"] == "0" * 16
    assert status["Seccomp"] == "2"


def test_no_new_privileges_is_set_and_the_filter_too(bench: Bench) -> None:
    status = bench.run(["cat", "/proc/self/status"], no_new_privs=True).text
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def test_seccomp_refuses_what_the_capabilities_would_allow(bench: Bench) -> None:
    caps = [*DEFAULT, "CAP_SYS_ADMIN"]
    refused = bench.sh("unshare -m true", caps=caps)
    assert "Operation not permitted" in refused.text
    assert bench.sh("unshare -m true", caps=caps, seccomp=None).code == 0


def test_masked_and_read_only_paths(bench: Bench) -> None:
    result = bench.sh(
        "ls /sys/firmware | wc -l; cat /proc/keys | wc -l; echo 1 > /proc/sys/kernel/printk"
    )
    assert result.text.split()[:2] == ["0", "0"]
    assert "Read-only file system" in result.text


def test_a_read_only_root(bench: Bench) -> None:
    result = bench.sh("touch /x; touch /dev/shm/y && echo shm", read_only=True)
    assert "Read-only file system" in result.text
    assert "shm" in result.text


def test_sysctls_and_rlimits(bench: Bench) -> None:
    result = bench.sh(
        "cat /proc/sys/kernel/msgmax; ulimit -n",
        sysctl={"kernel.msgmax": "4321"},
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}],
    )
    assert result.text.split() == ["4321", "99"]


def test_an_unknown_sysctl_is_explained(bench: Bench) -> None:
    message = bench.run(["true"], sysctl={"kernel.nosuch": "1"}).events[0]["message"]
    assert "this kernel has no setting kernel.nosuch" in message


def test_bind_mounts_read_only_and_nested(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    result = bench.sh(
        "cat /data/file /etc/one; echo no > /data/file",
        mounts=[
            {
                "destination": "/data",
                "type": "bind",
                "source": str(tmp_path),
                "options": ["rbind", "ro"],
            },
            {
                "destination": "/etc/one",
                "type": "bind",
                "source": str(tmp_path / "file"),
                "options": ["bind"],
            },
        ],
    )
    assert result.text.count("from the host") == 2
    assert "Read-only file system" in result.text


def test_a_link_in_the_image_does_not_lead_a_mount_out(bench: Bench, tmp_path: Path) -> None:
    """CVE-2017-1002101 and its kin: the target is resolved inside the root."""
    source, outside = tmp_path / "source", tmp_path / "outside"
    source.mkdir()
    outside.mkdir()
    (source / "mark").touch()
    (bench.layer / "trap").symlink_to(outside)  # leads nowhere, seen from inside
    result = bench.sh(
        f"ls {outside}",
        mounts=[
            {
                "destination": "/trap/in",
                "type": "bind",
                "source": str(source),
                "options": ["bind"],
            }
        ],
    )
    assert result.text.split() == ["in"]
    assert list(outside.iterdir()) == []


def test_a_working_directory_is_made(bench: Bench) -> None:
    assert bench.sh("pwd", cwd="/new/place").text == "/new/place\n"


def test_a_new_tmpfs_is_for_everyone_and_one_over_a_directory_has_its_mode(bench: Bench) -> None:
    (bench.layer / "root").chmod(0o700)
    mounts = [
        {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": []}
        for path in ("/fresh", "/root")
    ]
    assert bench.sh("stat -c %a /fresh /root", mounts=mounts).text.split() == ["1777", "700"]
