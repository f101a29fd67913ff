"""Words: every file says what it is, nothing is left to do, errors are caught by name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.source import ALL, ENGINE, ROOT, Source, functions

# Split, so that this file does not contain them.
UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b"
)

# Methods that a base class leaves to its subclasses: where it is the contract.
ABSTRACT = {"minidocker/linux/plan.py"}


def ids(source: Source) -> str:
    return str(source.path)


@pytest.mark.parametrize("source", ALL, ids=ids)
def test_nothing_is_left_to_do(source: Source) -> None:
    marks = [i for i, line in enumerate(source.text.splitlines(), 1) if UNFINISHED.search(line)]
    assert not marks, f"{source.path}: lines {marks}"


@pytest.mark.parametrize("source", ENGINE, ids=ids)
def test_no_function_is_a_stub(source: Source) -> None:
    if str(source.path) not in ABSTRACT:
        assert "NotImplementedError" not in source.text
        assert "not implemented" not in source.text.lower()


@pytest.mark.parametrize("source", [one for one in ALL if one.text.strip()], ids=ids)
def test_a_file_opens_by_saying_what_it_holds(source: Source) -> None:
    text = ast.get_docstring(source.tree)
    assert text, f"{source.path} has no docstring"


@pytest.mark.parametrize("source", ENGINE, ids=ids)
def test_what_other_packages_may_call_is_documented(source: Source) -> None:
    """A public function or method of more than ten lines says its contract.

    Shorter ones may be their own explanation, and a step's two methods have
    the contract of ``linux.plan.Step``.
    """
    silent = [
        f"{source.path}:{node.lineno} {name}"
        for name, node in functions(source.tree, ())
        if not any(part.startswith("_") for part in name.split("."))
        and node.name not in ("describe", "execute")
        and (node.end_lineno or 0) - node.lineno >= 10
        and ast.get_docstring(node) is None
        and not nested(source, name)
    ]
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("source", ENGINE, ids=ids)
def test_a_broad_except_says_why(source: Source) -> None:
    """``except Exception`` is right at a boundary; a comment on its line or below says which."""
    lines = source.text.splitlines()
    unexplained = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and broad(node):
            below = lines[node.lineno].strip() if node.lineno < len(lines) else ""
            if "#" not in lines[node.lineno - 1] and not below.startswith("#"):
                unexplained.append(f"{source.path}:{node.lineno}")
    assert not unexplained, "\n".join(unexplained)


def test_prose_names_no_dead_path() -> None:
    """What README, CONTRIBUTING and docs/ cite as a path of this project exists."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "chapters").rglob("*.md")]
    cited = re.compile(r"`((?:minidocker|tests|docs|chapters|\.ci)/[\w./-]*)`")
    dead = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in pages
        for path in cited.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists()
    ]
    assert not dead, "\n".join(dead)


def nested(source: Source, name: str) -> bool:
    """Whether ``name`` is a function inside a function: nobody else can call it."""
    names = {other for other, _ in source.functions()}
    return name.rpartition(".")[0] in names


def broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
