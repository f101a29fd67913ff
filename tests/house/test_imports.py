"""Who may import whom: downward only, and never a package on the same line.

The lines are those of docs/architecture.md.  A reader can then take the
packages one by one from the bottom, and each chapter stands on earlier ones.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.house.source import ENGINE, Source

# Topmost first.  What is on one line meets above it, as plain values.
LINES = (
    ("daemon", "client"),
    ("containers",),
    ("images",),
    ("layers", "namespaces", "cgroups", "networks", "volumes"),
    ("linux", "oci", "wire"),
    ("errors", "records"),
)

# Stricter than its line: the client speaks to a daemon that may be of another
# version or on another machine; namespaces run inside containers being made.
ONLY = {
    "client": {"wire", "errors"},
    "namespaces": {"linux", "oci"},
}

# `python -m minidocker` dispatches to the client, and is no part of any line.
ENTRANCES = {"minidocker/__main__.py", "minidocker/__init__.py"}

# Other people's packages, and the one place each belongs to.
OUTSIDE = {
    "h11": {"client", "daemon", "wire"},
    "httpx": {"images"},
    "pyseccomp": {"namespaces", "containers"},
    "rich": {"client"},
    "zstandard": {"layers"},
}


def package_of(source: Source) -> str:
    """``layers`` for minidocker/layers/apply.py, ``errors`` for minidocker/errors.py."""
    return source.path.with_suffix("").parts[1]


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Each import's line and dotted module, wherever in the file it stands; no relative ones."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.path}:{node.lineno}: relative import"
            assert node.module is not None
            if node.module == "minidocker":
                for alias in node.names:
                    yield node.lineno, f"minidocker.{alias.name}"
            else:
                yield node.lineno, node.module


def allowed(package: str) -> set[str]:
    """The packages that ``package`` may import, itself included."""
    if package in ONLY:
        return {package} | ONLY[package]
    below = next(i for i, line in enumerate(LINES) if package in line) + 1
    return {package, "__version__"}.union(*LINES[below:])


def test_every_package_has_its_line() -> None:
    known = {name for line in LINES for name in line}
    packages = {package_of(source) for source in ENGINE if str(source.path) not in ENTRANCES}
    assert packages <= known, "a new package: say in LINES what it may import"


@pytest.mark.parametrize("source", ENGINE, ids=lambda source: str(source.path))
def test_imports_go_downward_only(source: Source) -> None:
    if str(source.path) in ENTRANCES:
        return
    package = package_of(source)
    wrong = [
        f"{source.path}:{line}: {package} imports {module}"
        for line, module in imported(source)
        if module.startswith("minidocker.") and module.split(".")[1] not in allowed(package)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("source", ENGINE, ids=lambda source: str(source.path))
def test_other_peoples_packages_stay_where_they_belong(source: Source) -> None:
    package = package_of(source)
    for line, module in imported(source):
        top = module.split(".")[0]
        if top == "minidocker" or top in sys.stdlib_module_names:
            continue
        where = f"{source.path}:{line}: {package} imports {top}"
        assert top in OUTSIDE, f"{where}, which is no dependency of the project"
        assert package in OUTSIDE[top], f"{where}; it belongs to {sorted(OUTSIDE[top])}"
