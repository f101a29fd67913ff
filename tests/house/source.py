"""The project's Python files, parsed once for all the house's tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file: its path from the project's root, its text, its tree."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function with its dotted name: ``Class.method``, ``outer.inner``."""
        yield from functions(self.tree, ())


def functions(node: ast.AST, above: tuple[str, ...]) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            name = (*above, child.name)
            if isinstance(child, Function):
                yield ".".join(name), child
            yield from functions(child, name)
        else:
            yield from functions(child, above)


def sources(*folders: str) -> list[Source]:
    """The Python files under ``folders`` of the project, sorted."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Source(path.relative_to(ROOT), path.read_text("utf-8")) for path in paths]


ENGINE = sources("minidocker")
ALL = ENGINE + sources("tests", "chapters")
