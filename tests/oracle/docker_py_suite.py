"""docker-py's own integration tests, as they are, asked of this engine.

They come with its source distribution and go through a docker-py of the same version, in
a Python environment of their own.  What does not pass is listed in docker_py_suite.toml
with the reason, and nothing else is: a test that fails unlisted is a fault of this engine,
and one that passes though listed is taken off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from tests.support.busybox import ETC
from tests.support.engine import Engine
from tests.support.need import missing
from tests.support.netns import outside

LIST = Path(__file__).parent / "docker_py_suite.toml"
VERSION = "6.1.3"
# The newest releases of the last two break with a docker-py of 2023.
NEEDS = (f"docker=={VERSION}", "paramiko", "pytest-timeout", "pytest<8", "requests<2.32")
API_VERSION = "1.41"  # as its Makefile says
# Swarm with all that belongs to it, plugins, stores of passwords: no part of this engine.
LEFT_OUT = (
    *("api_config_test.py", "api_plugin_test.py", "api_secret_test.py", "api_service_test.py"),
    *("api_swarm_test.py", "credentials", "models_nodes_test.py", "models_services_test.py"),
    "models_swarm_test.py",
)
EXPECTED = "expected"  # docker-py's own word that it may fail: no fault, listed or not
PACKAGE = "tests.integration."
# What is pulled in the tests, each another image, with what they look for inside.
IMAGES: Mapping[str, Mapping[str, str]] = {
    name: {
        "etc/passwd": f"{ETC['etc/passwd']}postgres:x:70:70::/:/bin/sh\n",
        "var/opt/image": name,
    }
    for name in ("alpine:3.10", "alpine:latest", "busybox:latest", "hello-world:latest")
}
HERE = ("alpine:3.10", "alpine:latest", "busybox:latest")  # what is there before they begin


def fetch(folder: Path) -> tuple[Path, Path]:
    """The source tree, and a Python that has what its tests need.  Skips where pip cannot."""
    source = ("--no-binary", "docker", "--no-deps", "-d", str(folder), f"docker=={VERSION}")
    pip(sys.executable, "download", *source)
    (archive,) = folder.glob("docker-*.tar.gz")
    shutil.unpack_archive(archive, folder)
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pip(str(python), "install", *NEEDS)
    return folder / f"docker-{VERSION}", python


def pip(python: str, *arguments: str) -> None:
    command = outside([python, "-m", "pip", "--retries", "1", *arguments])
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        missing(f"this test needs docker-py {VERSION} from pip, which waited five minutes in vain")
    if done.returncode:
        *_, last = ["", *(done.stderr or done.stdout).strip().splitlines()]
        missing(f"this test needs docker-py {VERSION} and what its tests need, from pip: {last}")


def run(source: Path, python: Path, engine: Engine, folder: Path) -> dict[str, str]:
    """What became of each test (see ``outcomes``).  The client's settings are in ``folder``."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PY", "DOCKER"))
    }
    environment |= {
        "DOCKER_CONFIG": str(folder),
        "DOCKER_HOST": f"unix://{engine.socket}",
        "DOCKER_TEST_API_VERSION": API_VERSION,
        "TMPDIR": str(folder),
    }
    (folder / "config.json").write_text("{}")  # without it, contexts go to the working directory
    report = folder / "report.xml"
    left_out = [f"--ignore=tests/integration/{name}" for name in LEFT_OUT]
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [*command, *left_out, "tests/integration"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert report.exists(), f"pytest broke off:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return outcomes(report.read_text())


def outcomes(report: str) -> dict[str, str]:
    """module.Class.test -> "" if it passed, or else what pytest's JUnit report says of it.

    A test that fails, and again as it is taken down, is there twice.
    """
    found: dict[str, str] = {}
    for case in ElementTree.fromstring(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}".removeprefix(PACKAGE)
        troubles = [
            f"{EXPECTED if each.get('type') == 'pytest.xfail' else each.tag}: {each.get('message')}"
            for each in case
            if each.tag in ("failure", "error", "skipped")
        ]
        found[name] = found.get(name, "") or "".join(troubles)
    return found


def load(text: str) -> dict[str, str]:
    """test -> why it does not pass.  Raises ``ValueError`` for one that is listed twice."""
    listed: dict[str, str] = {}
    for group in tomllib.loads(text)["group"]:
        for test in group["tests"]:
            if test in listed:
                raise ValueError(f"{test} is listed twice")
            listed[test] = group["reason"]
    return listed


def judge(found: Mapping[str, str], listed: Mapping[str, str]) -> list[str]:
    """What is wrong with the engine or with the list, a line each."""
    fails = [
        f"{test} does not pass, and is not listed: {why}"
        for test, why in found.items()
        if why and not why.startswith(EXPECTED) and test not in listed
    ]
    stale = [
        f"{test} passes, and is listed: {why}"
        for test, why in listed.items()
        if found.get(test) == ""
    ]
    unknown = [f"{test} is listed, and there is no such test" for test in listed.keys() - found]
    return fails + stale + sorted(unknown)
