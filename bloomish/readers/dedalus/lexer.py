"""Text to tokens, each with the line and column at which it begins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bloomish.errors import ProgramError
from bloomish.ir import Span

TokenKind = Literal["name", "int", "string", "sign", "end"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<string>"[^"]*")
  | (?P<word>[A-Za-z0-9._?]+)
  | (?P<sign>:-|==|!=|<=|>=|[(),;@<>+\-*]|/(?!\*))
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is a string's content without its quotes, and the sign or word otherwise."""

    kind: TokenKind
    text: str
    span: Span


class Lines:
    """Positions in one file, and the text of its lines for messages."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._line = 0

    def span(self, offset: int) -> Span:
        """The place of a character; offsets are asked for in ascending order."""
        while offset >= self._starts[self._line + 1]:
            self._line += 1
        column = offset - self._starts[self._line] + 1
        return Span(self.file, self._line + 1, column, self.lines[self._line].strip())


def tokens(file: str, text: str) -> list[Token]:
    """All tokens of one file, without an end mark (files are concatenated)."""
    lines = Lines(file, text)
    found: list[Token] = []
    offset = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise _unreadable(text, offset, lines.span(offset))
        word, kind = match.group(), match.lastgroup
        if kind == "string":
            found.append(Token("string", word[1:-1], lines.span(offset)))
        elif kind == "word":
            found.append(Token("int" if word.isdigit() else "name", word, lines.span(offset)))
        elif kind == "sign":
            found.append(Token("sign", word, lines.span(offset)))
        offset = match.end()
    return found


def _unreadable(text: str, offset: int, span: Span) -> ProgramError:
    if text[offset] == '"':
        return error(span, "this string is never closed", 'close it with `"`')
    if text.startswith("/*", offset):
        return error(span, "this comment is never closed", "close it with `*/`")
    mends = {"!": "`!=` is the comparison, `notin p(...)` the negation", "=": "equality is `==`"}
    mend = mends.get(text[offset], "remove it, or quote the text it belongs to")
    return error(span, f"unexpected character {text[offset]!r}", mend)


def error(span: Span, message: str, mend: str) -> ProgramError:
    """A syntax error: `.ded` messages carry the column, as clauses may share a line."""
    return ProgramError(span, f"column {span.column}: {message}", mend)
