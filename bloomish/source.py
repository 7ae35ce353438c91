"""Where in the user's text are we: frames to spans.

Rules are bare expressions, so the only way to say where one stands is the
frame that evaluates it.  Python 3.11 knows line and column of every
instruction; the text of the statement comes from linecache and ast.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import NoReturn

from bloomish.errors import ProgramError
from bloomish.ir import Span

LANGUAGE = frozenset(
    f"bloomish.{name}"
    for name in (
        "cluster", "collections", "columns", "declarations", "elaborate", "functions", "program",
        "scope", "source", "sqltext", "terms", "lattices.declare",
    )
)  # fmt: skip
"""Modules whose frames are ours and not the user's."""

Position = tuple[int, int]  # line from 1, UTF-8 column from 0


def user_frame() -> FrameType:
    """The innermost frame of the user's program."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in LANGUAGE:
        frame = frame.f_back
    assert frame is not None, "the language was called from nowhere"
    return frame


class _Positions:
    """The positions of one code object's instructions, kept for the last one asked.

    Reading them anew for every rule of a class body would be quadratic.
    """

    def __init__(self) -> None:
        self.code: CodeType | None = None
        self.known: list[tuple[int | None, int | None, int | None, int | None]] = []

    def at(self, frame: FrameType) -> Position:
        code = frame.f_code
        if code is not self.code:
            self.code, self.known = code, list(code.co_positions())
        line, _, column, _ = self.known[frame.f_lasti // 2]
        return (line or frame.f_lineno, column or 0)


_positions = _Positions()


class _File:
    """The statements of one file, innermost first for every line."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.by_line: dict[int, list[ast.stmt]] = {}
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:  # not the text that is running: lines alone, then
            return
        for node in ast.walk(tree):  # breadth first: an inner statement comes after its outer one
            if isinstance(node, ast.stmt):
                for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    self.by_line.setdefault(line, []).append(node)

    def statement(self, at: Position) -> ast.stmt | None:
        for node in reversed(self.by_line.get(at[0], ())):
            start = (node.lineno, node.col_offset)
            end = (node.end_lineno or node.lineno, node.end_col_offset or 0)
            if start <= at <= end:
                return node
        return None


_files: dict[str, _File] = {}


def _file(frame: FrameType) -> _File:
    name = frame.f_code.co_filename
    lines = linecache.getlines(name, frame.f_globals)
    known = _files.get(name)
    if known is None or known.lines is not lines:
        known = _files[name] = _File(lines)
    return known


def statement_at(frame: FrameType) -> ast.stmt | None:
    """The statement that a frame evaluates, None where there is no source."""
    return _file(frame).statement(_positions.at(frame))


def position_at(frame: FrameType) -> Position:
    """Line and UTF-8 column of what a frame evaluates."""
    return _positions.at(frame)


def place(frame: FrameType) -> Span:
    """Where the expression stands that a frame evaluates; without text, cheap."""
    line, column = _positions.at(frame)
    return Span(frame.f_code.co_filename, line, column + 1)


def span_at(frame: FrameType) -> Span:
    """The statement that a frame evaluates, with its text."""
    file = _file(frame)
    at = _positions.at(frame)
    node = file.statement(at)
    if node is None:
        text = file.lines[at[0] - 1].strip() if 0 < at[0] <= len(file.lines) else ""
        return Span(frame.f_code.co_filename, at[0], 0, text)
    return span_of(frame.f_code.co_filename, file.lines, node)


def span_of(file: str, lines: list[str], node: ast.stmt) -> Span:
    """A statement's place and text; of a class or function, its first line."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return Span(file, node.lineno, node.col_offset + 1, lines[node.lineno - 1].strip())
    last = node.end_lineno or node.lineno
    if hasattr(node, "body"):  # a loop or an if: its header says enough
        last = node.lineno
    taken = [line.rstrip("\n") for line in lines[node.lineno - 1 : last]]
    if last == node.end_lineno and node.end_col_offset is not None:
        taken[-1] = taken[-1].encode()[: node.end_col_offset].decode()
    indent = taken[0].encode()[: node.col_offset].decode()
    taken[0] = taken[0][len(indent) :]
    for number, line in enumerate(taken[1:], 1):
        blank = len(line) - len(line.lstrip())
        taken[number] = line[min(blank, len(indent)) :]
    return Span(file, node.lineno, len(indent) + 1, "\n".join(taken))


def comment_at(frame: FrameType) -> str:
    """The comment that ends the statement's last line, "" if there is none."""
    file = _file(frame)
    node = file.statement(_positions.at(frame))
    if node is None or node.end_lineno is None or node.end_col_offset is None:
        return ""
    rest = file.lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode().strip()
    return rest.removeprefix("#").strip() if rest.startswith("#") else ""


def definition(code: CodeType) -> Span:
    """The line of a function's `def`, below its decorators."""
    lines = linecache.getlines(code.co_filename)
    for number in range(code.co_firstlineno, len(lines) + 1):
        text = lines[number - 1].strip()
        if text.startswith(("def ", "async def ", "lambda ")):
            return Span(code.co_filename, number, 1, text)
    return Span(code.co_filename, code.co_firstlineno, 1)


def fail(what: str, mend: str = "") -> NoReturn:
    """Refuse what the user's innermost frame is doing."""
    raise ProgramError(span_at(user_frame()), what, mend)


def enclosing(
    frame: FrameType,
    kinds: tuple[type[ast.AST], ...],
    suits: Callable[[ast.AST], bool] = lambda node: True,
) -> ast.AST | None:
    """The innermost suitable node of these kinds round what a frame evaluates."""
    statement = statement_at(frame)
    if statement is None:
        return None
    at = _positions.at(frame)
    found: ast.AST | None = None
    for node in itertools.chain([statement], ast.walk(statement)):
        if isinstance(node, kinds) and suits(node):
            start = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
            end = (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))
            if start <= at < end:
                found = node  # ast.walk goes outside in
    return found


def refresh(file: str) -> None:
    """Forget a file's text if it changed since it was read."""
    linecache.checkcache(file)
