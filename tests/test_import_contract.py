"""Who may import whom: downwards only, and by absolute names.

cli > runtime > analysis > language; programs import the language and each other; nothing imports
the command line.  Imports inside functions and under TYPE_CHECKING count like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("analysis", "runtime", "programs")
MAY_IMPORT = {
    "cli": {"cli", "runtime", "analysis", "language"},
    "runtime": {"runtime", "analysis", "language"},
    "analysis": {"analysis", "language"},
    "programs": {"programs", "language"},
    "language": {"language"},
}
# `connect` is re-exported lazily by the package; `python -m bloomish` is the command line.
EXCEPTIONS = {
    ("bloomish/__init__.py", "bloomish.runtime.host"),
    ("bloomish/__main__.py", "bloomish.cli"),
}
DATA_MODULES = ("bloomish/ir.py",)


def sources() -> Iterator[Path]:
    for folder in ("bloomish", *ROOMS):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).parts
            through_link = parts[0] == "bloomish" and parts[1] in ROOMS
            if not through_link and "target" not in parts:
                yield path


def room_of_file(path: Path) -> str:
    top, *rest = path.relative_to(ROOT).parts
    if top in ROOMS:
        return top
    return "cli" if rest == ["cli.py"] else "language"


def room_of_module(module: str) -> str | None:
    """The room of an imported module, None where it is not ours."""
    top, *rest = module.split(".")
    if top in ROOMS:
        return top
    if top != "bloomish":
        return None
    first = rest[0] if rest else ""
    return first if first in ROOMS or first == "cli" else "language"


def imports(path: Path) -> Iterator[tuple[int, int, str]]:
    """Line, level and module of every import; `from bloomish import runtime` names a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield node.lineno, node.level, module
            if module == "bloomish":
                for alias in node.names:
                    if alias.name in (*ROOMS, "cli"):
                        yield node.lineno, node.level, f"bloomish.{alias.name}"


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    for line, level, module in imports(path):
        where = f"{name}:{line}"
        assert level == 0, f"{where}: a relative import; write bloomish.… in full"
        assert module.split(".")[0] not in ROOMS, f"{where}: write bloomish.{module}"
        room = room_of_module(module)
        if room is None or (name, module) in EXCEPTIONS:
            continue
        here = room_of_file(path)
        assert room in MAY_IMPORT[here], f"{where}: {here} may not import {module} ({room})"
        assert name not in DATA_MODULES, f"{where}: a data module imports nothing of ours"


def test_a_program_needs_one_import() -> None:
    """What a program takes from the language it takes from `bloomish` itself."""
    for path in sorted((ROOT / "programs").glob("*.py")):
        for line, _, module in imports(path):
            if room_of_module(module) == "language":
                where = f"{path.relative_to(ROOT)}:{line}"
                assert module == "bloomish", f"{where}: write `from bloomish import ...`"
