"""Dedalus: `.ded` files, as Molly accepts them, into `ir.Program`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bloomish import ir
from bloomish.readers.dedalus.locality import locality_warnings
from bloomish.readers.dedalus.sources import Sources, Warn, read_files, read_text
from bloomish.readers.dedalus.translate import translate

__all__ = ["Reading", "Warn", "read_dedalus", "read_dedalus_text"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A program, and what is accepted in it but likely not meant."""

    program: ir.Program
    warnings: tuple[Warn, ...]


def read_dedalus(paths: Sequence[Path]) -> Reading:
    """Reads files as one program; raises ProgramError with line and column."""
    return _reading(read_files(paths), paths[0].stem, str(paths[0]))


def read_dedalus_text(text: str, name: str = "program", directory: Path | None = None) -> Reading:
    """Reads a program given as text."""
    return _reading(read_text(text, f"<{name}>", directory), name, f"<{name}>")


def _reading(sources: Sources, name: str, file: str) -> Reading:
    program, warnings = translate(name, sources.statements, ir.Span(file, 1, 1))
    warnings = [*sources.warnings, *warnings, *locality_warnings(program)]
    return Reading(program, tuple(warnings))
