"""The image commands' own parts: rows, sums, and the file that login writes."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidocker.client.commands import disk_usage, history, prune, registries
from minidocker.client.credentials import HUB, Config, auth_header, server_of
from minidocker.errors import InvalidParameter

images = st.lists(
    st.builds(
        lambda own, shared, users: {
            "Size": own + shared,
            "SharedSize": shared,
            "Containers": users,
        },
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.integers(0, 2),
    )
)


@given(images, st.integers(0, 10**6))
def test_what_used_images_have_for_themselves_would_not_come_back(
    found: list[dict[str, int]], rest: int
) -> None:
    kept = sum(each["Size"] - each["SharedSize"] for each in found if each["Containers"])
    row, *others = disk_usage.summary({"Images": found, "LayersSize": kept + rest})
    used = sum(each["Containers"] > 0 for each in found)
    assert (row["TotalCount"], row["Active"]) == (str(len(found)), str(used))
    percent = f" ({rest * 100 // (kept + rest)}%)" if kept + rest else ""
    assert row["Reclaimable"].endswith(percent)
    assert [each["Size"] for each in others] == ["0B"] * 3


def test_volumes_and_build_cache_are_summed_too() -> None:
    usage: dict[str, Any] = {
        "Volumes": [
            {"Name": "v", "UsageData": {"RefCount": 1, "Size": 10}},
            {"Name": "w", "UsageData": {"RefCount": 0, "Size": 30}},
        ],
        "BuildCache": [{"Size": 5, "InUse": True}, {"Size": 7}, {"Size": 9, "Shared": True}],
        "Containers": [{"State": "exited", "SizeRw": 6}, {"State": "paused", "SizeRw": 2}],
    }
    _, containers, volumes, cache = disk_usage.summary(usage)
    assert containers["Reclaimable"] == "6B (75%)"
    assert volumes["Reclaimable"] == "30B (75%)"
    assert (cache["Size"], cache["Reclaimable"], cache["Active"]) == ("12B", "7B", "1")
    named = {"Driver": "local", "Scope": "local", "Mountpoint": "/m"}
    told = {"Volumes": [{**each, **named} for each in usage["Volumes"]]}
    assert "v             1         10B" in "\n".join(disk_usage.tables(told, 0))


@given(st.text(max_size=60), st.integers(-5, 10**9), st.integers(0, 10**12), st.booleans())
def test_a_step_of_a_history(by: str, created: int, size: int, short: bool) -> None:
    step = {
        "Id": "sha256:" + "a" * 64,
        "Created": created,
        "CreatedBy": by,
        "Size": size,
        "Comment": "c",
    }
    row = history.row(step, 2 * 10**9, short, human=not short)
    assert row["ID"] == ("a" * 12 if short else step["Id"])
    assert len(row["CreatedBy"]) <= (45 if short else 60)
    assert "\t" not in row["CreatedBy"]
    assert (row["CreatedSince"] == "N/A") == (created <= 0)
    assert row["Size"] == str(size) if short else row["Size"].endswith("B")


def test_a_step_without_a_layer_of_ours_keeps_its_word() -> None:
    step = {"Id": "<missing>", "Created": 1, "CreatedBy": "", "Size": 0, "Comment": ""}
    assert history.row(step, 2, True, True)["ID"] == "<missing>"


def test_what_a_prune_says() -> None:
    assert prune.told(prune.IMAGES, {"ImagesDeleted": None, "SpaceReclaimed": 0}) == []
    report = {"ImagesDeleted": [{"Untagged": "a:1"}, {"Deleted": "b"}], "SpaceReclaimed": 1500}
    assert prune.told(prune.IMAGES, report) == [
        *("Deleted Images:", "untagged: a:1", "deleted: b", "")
    ]
    report = {"ContainersDeleted": ["c", "d"], "SpaceReclaimed": 1}
    assert prune.told(prune.CONTAINERS, report) == ["Deleted Containers:", "c", "d", ""]


@given(st.text(max_size=80), st.booleans())
def test_a_search_result_is_one_line(text: str, short: bool) -> None:
    found = {"name": "x", "star_count": 1, "is_official": True, "is_automated": False}
    row = registries.row({**found, "description": text}, short)
    assert "\n" not in row["Description"]
    assert len(row["Description"]) <= (45 if short else 80)
    assert (row["IsOfficial"], row["IsAutomated"]) == ("[OK]", "")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("", HUB),
        ("docker.io", HUB),
        ("https://index.docker.io/v1/", HUB),
        ("a.b:5000", "a.b:5000"),
        ("https://a.b/v2/", "a.b"),
    ],
)
def test_the_key_of_a_registry(said: str, key: str) -> None:
    assert server_of(said) == key


@given(
    st.sampled_from(["a.b:5000", HUB]),
    st.text("abc:é", min_size=1, max_size=5).filter(lambda name: ":" not in name),
    st.text("abc:é", min_size=1, max_size=8),
)
def test_what_login_keeps_is_what_a_pull_sends(server: str, user: str, word: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        environ = {"DOCKER_CONFIG": f"{folder}/new/.docker"}
        auth = {"username": user, "password": word, "serveraddress": server}
        config = Config.read(environ)
        assert "unencrypted" in config.store(server, auth)
        assert Config.read(environ).find(server) == auth
        image = "alpine" if server == HUB else f"{server}/alpine"
        header = auth_header(image, environ)["X-Registry-Auth"]
        assert json.loads(base64.urlsafe_b64decode(header)) == auth
        assert stat.S_IMODE(os.stat(config.path).st_mode) == 0o600
        Config.read(environ).erase(server)
        assert auth_header(image, environ) == {}
        assert json.loads(Path(config.path).read_text()) == {"auths": {}}


def test_the_rest_of_the_file_stays_and_so_does_a_link_to_it(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    real.write_text('{"psFormat": "x", "auths": {"c.d": {"auth": "eA=="}}}')
    (tmp_path / "config.json").symlink_to(real)
    config = Config.read({"DOCKER_CONFIG": str(tmp_path)})
    config.store("a.b", {"identitytoken": "t", "serveraddress": "a.b"})
    said = json.loads(real.read_text())
    assert said["psFormat"] == "x"
    assert said["auths"] == {"c.d": {"auth": "eA=="}, "a.b": {"auth": "", "identitytoken": "t"}}
    assert (tmp_path / "config.json").is_symlink()
    assert config.find("a.b") == {"identitytoken": "t", "serveraddress": "a.b"}


HELPER = """#!/bin/sh
case $1 in
store) cat > "$KEPT" ;;
get) sed 's/"ServerURL"[^,]*,//' "$KEPT" ;;
erase) rm -f "$KEPT" ;;
esac
"""


def test_a_helper_keeps_them_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, kept = tmp_path / "docker-credential-test", tmp_path / "kept"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("KEPT", str(kept))
    (tmp_path / "config.json").write_text('{"credsStore": "test"}')
    auth = {"username": "u", "password": "w", "serveraddress": "a.b"}
    config = Config.read({"DOCKER_CONFIG": str(tmp_path)})
    assert config.store("a.b", auth) == ""
    assert b"w" not in (tmp_path / "config.json").read_bytes().replace(b"a.b", b"")
    assert config.find("a.b") == auth
    config.erase("a.b")
    assert not kept.exists()
    helper.unlink()
    with pytest.raises(InvalidParameter, match="cannot be run"):
        config.store("a.b", auth)
