"""Files to one sequence of statements: several inputs and `include`.

Molly concatenates its input files and resolves every `include`, however deep,
relative to the directory of the first input file.  Files that were written to
be run from elsewhere name includes relative to themselves or to a directory
above; those are looked for next, with a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bloomish.ir import Span
from bloomish.readers.dedalus.lexer import Token, error, tokens
from bloomish.readers.dedalus.parser import parse
from bloomish.readers.dedalus.syntax import Clause, Fact, Include, Statement

_LEVELS_UP = 3


@dataclass(frozen=True, slots=True)
class Warn:
    """Something that is accepted, and is likely not what was meant."""

    span: Span
    message: str

    def __str__(self) -> str:
        return f"{self.span.file}:{self.span.line}: column {self.span.column}: {self.message}"


@dataclass
class Sources:
    """What reading found: statements in order, includes replaced by their content."""

    statements: list[Fact | Clause] = field(default_factory=list)
    warnings: list[Warn] = field(default_factory=list)


def read_files(paths: Sequence[Path]) -> Sources:
    """The statements of the concatenated files and of what they include.

    A file included twice is read once: clauses are a set.
    """
    sources = Sources()
    together: list[Token] = []
    for path in paths:
        together += _tokens_of(path, Span(str(path)))
    seen = {path.resolve() for path in paths}
    _expand(parse(together), paths[0].parent, seen, sources)
    return sources


def read_text(text: str, file: str = "<text>", directory: Path | None = None) -> Sources:
    """The statements of a program given as text."""
    sources = Sources()
    _expand(parse(tokens(file, text)), directory or Path(), set(), sources)
    return sources


def _expand(statements: Sequence[Statement], base: Path, seen: set[Path], sources: Sources) -> None:
    for statement in statements:
        if not isinstance(statement, Include):
            sources.statements.append(statement)
            continue
        path = _find(statement, base, sources)
        if path.resolve() not in seen:
            seen.add(path.resolve())
            _expand(parse(_tokens_of(path, statement.span)), base, seen, sources)


def _find(include: Include, base: Path, sources: Sources) -> Path:
    first = base / include.path
    if first.is_file():
        return first
    beside = Path(include.span.file).parent
    for directory in (beside, *list(base.resolve().parents)[:_LEVELS_UP]):
        candidate = directory / include.path
        if candidate.is_file():
            message = f"{include.path} is not in {base}, the first file's directory; "
            sources.warnings.append(Warn(include.span, message + f"found as {candidate}"))
            return candidate
    raise error(
        include.span,
        f"there is no file {first}",
        "includes are relative to the directory of the first input file",
    )


def _tokens_of(path: Path, asked: Span) -> list[Token]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        raise error(asked, f"cannot read {path}: {failure}", "name a readable UTF-8 file") from None
    return tokens(str(path), text)
