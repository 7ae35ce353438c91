"""Where a clause stands in a SQL text.

sqlglot marks identifiers, literals and function names with their offsets, not
the clauses around them; those are found by walking back through the tokens from
the first marked node to the clause's keyword.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp
from sqlglot.tokenizer_core import Token

from bloomish.ir import Span

_OPEN, _CLOSE = "(", ")"


@dataclass(frozen=True)
class Places:
    """A text with its tokens."""

    text: str
    tokens: tuple[Token, ...]
    filename: str = ""
    first_line: int = 1  # of the text in its file

    def at(self, start: int, end: int) -> Span:
        """The span of the characters from `start` up to `end`."""
        line = self.text.count("\n", 0, start) + self.first_line
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        return Span(self.filename, line, column, " ".join(self.text[start:end].split()))

    def of(self, node: exp.Expr, *keywords: str) -> Span:
        """A node's place, from the nearest of `keywords` before it, if given.

        A keyword of several words, such as `NOT EXISTS`, is several tokens or one.
        """
        marks = [(n.meta["start"], n.meta["end"]) for n in node.walk() if "start" in n.meta]
        if not marks:
            parent = node.parent
            return self.of(parent, *keywords) if parent is not None else Span(self.filename)
        start, end = min(m[0] for m in marks), max(m[1] for m in marks)
        first = self._index(start)
        if keywords:
            found = self._before(first, keywords)
            if found is not None:
                first = found
                start = self.tokens[first].start
        return self.at(start, self._closed(first, end) + 1)

    @cached_property
    def _starts(self) -> dict[int, int]:
        return {token.start: number for number, token in enumerate(self.tokens)}

    def _index(self, offset: int) -> int:
        if offset in self._starts:
            return self._starts[offset]
        return max((n for n, t in enumerate(self.tokens) if t.start <= offset), default=0)

    def _before(self, first: int, keywords: Sequence[str]) -> int | None:
        for number in range(first, max(first - 60, -1), -1):
            if self.tokens[number].text == ";":
                return None
            for keyword in keywords:
                words = keyword.split()
                shown = " ".join(t.text.upper() for t in self.tokens[number : number + len(words)])
                if shown == keyword or self.tokens[number].text.upper() == keyword:
                    return number
        return None

    def _closed(self, first: int, end: int) -> int:
        """The end, moved on to close the brackets opened since `first`."""
        depth = 0
        for token in self.tokens[first:]:
            if token.start > end and depth <= 0:
                break
            if token.start > end and token.text != _CLOSE:
                break
            if token.text == _OPEN:
                depth += 1
            elif token.text == _CLOSE:
                depth -= 1
                if depth >= 0:
                    end = max(end, token.end)
        return end
