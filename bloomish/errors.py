"""Errors that speak in the terms of the rule: where, what is wrong, what would be right."""

from __future__ import annotations

import os

from bloomish.ir import Span


class BloomishError(Exception):
    """Wrong input: a program, a target, a file.  The command line exits with 2."""


class ProgramError(BloomishError):
    """A program that cannot be meant as written.

    `span` is the place and the text of the rule (or declaration), `what` says
    what is wrong with it, `mend` what would be right; `notes` are lines in between.
    """

    def __init__(self, span: Span, what: str, mend: str = "", notes: tuple[str, ...] = ()) -> None:
        super().__init__(span, what, mend, notes)
        self.span = span
        self.what = what
        self.mend = mend
        self.notes = notes

    @property
    def rule(self) -> str:
        """The text of the rule or declaration."""
        return self.span.text

    def __str__(self) -> str:
        place = where(self.span)
        lines = [f"{place}: {self.what}" if place else self.what]
        lines += [f"    {line}" if line else "" for line in self.span.text.splitlines()]
        lines += [f"  {note}" for note in self.notes]
        if self.mend:
            first, *more = self.mend.splitlines()
            lines.append(f"  mend: {first}")
            lines += [f"        {line}" for line in more]
        return "\n".join(lines)


def counted(number: int, noun: str) -> str:
    """`1 column`, `2 columns`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def where(span: Span) -> str:
    """`file:line`, the file as seen from the working directory where that is shorter."""
    if not span.file:
        return ""
    file = span.file
    if os.path.isabs(file):
        relative = os.path.relpath(file)
        if not relative.startswith(os.pardir):
            file = relative
    return f"{file}:{span.line}" if span.line else file
