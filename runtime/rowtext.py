"""Rows as text: what `--feed` reads and `--watch` prints.

CSV cells are read by their column's type; tuples and lattice values, and every
value in JSON lines, are JSON (a row is an array in column order, or an object by
column name).  Bytes are {"bytes": hex} in JSON, plain text in a CSV cell.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NoReturn

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.pretty import value_text
from bloomish.runtime.evaluator import Row
from bloomish.runtime.trace import plain_value
from bloomish.values import Misfit, Values, type_text

Format = Literal["csv", "tsv", "json"]

SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}


class BadRow(BloomishError):
    """A line that is no row of its collection; the text names file and line."""


class RowReader:
    """Reads the lines of one source as rows of one collection."""

    def __init__(
        self, source: str, name: str, columns: Sequence[ir.Column], values: Values
    ) -> None:
        self._source = source
        self._name = name
        self._columns = columns
        self._forms = [values.conform(one.type) for one in columns]

    @property
    def _shape(self) -> str:
        columns = ", ".join(f"{one.name}: {type_text(one.type)}" for one in self._columns)
        return f"{self._name}({columns})"

    def _bad(self, line: int, what: str) -> BadRow:
        return BadRow(f"{self._source}:{line}: {what}\n  a row is {self._shape}")

    def rows(
        self,
        lines: Iterable[str],
        form: Format,
        complain: Callable[[BadRow], object] | None = None,
    ) -> Iterator[Row]:
        """The rows of all lines.  A line that is none raises BadRow, or is told and left out."""
        lines = _without_mark(lines)
        if form == "json":
            readings = self._json(lines)
        else:
            readings = self._csv(lines, "," if form == "csv" else "\t")
        for reading in readings:
            try:
                row = reading()
            except BadRow as fault:
                if complain is None:
                    raise
                complain(fault)
            else:
                yield row

    def _json(self, lines: Iterable[str]) -> Iterator[Callable[[], Row]]:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield partial(self.json_row, line, number)

    def json_row(self, line: str, number: int) -> Row:
        """One line of JSON."""
        try:
            data = _json_value(line)
        except ValueError as fault:
            raise self._bad(number, f"not JSON: {fault}") from None
        names = [one.name for one in self._columns]
        if isinstance(data, dict):
            if set(data) != set(names):
                missing = ", ".join(sorted(set(names) - set(data)))
                unknown = ", ".join(sorted(map(str, set(data) - set(names))))
                parts = [f"missing: {missing}"] * bool(missing)
                parts += [f"no such column: {unknown}"] * bool(unknown)
                raise self._bad(number, "; ".join(parts))
            data = [data[name] for name in names]
        elif not isinstance(data, list):
            if len(names) != 1:
                raise self._bad(number, f"{line.strip()[:60]} is neither an array nor an object")
            data = [data]
        try:
            return self._conformed([from_json(value) for value in data], number)
        except ValueError as fault:
            raise self._bad(number, str(fault)) from None

    def _csv(self, lines: Iterable[str], delimiter: str) -> Iterator[Callable[[], Row]]:
        reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
        names = [one.name for one in self._columns]
        order = list(range(len(names)))
        first = True
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as fault:
                yield partial(self._not_csv, reader.line_num, fault)
                continue
            if not cells:
                continue
            if first:
                first = False
                stripped = [cell.strip() for cell in cells]
                if sorted(stripped) == sorted(names):
                    order = [stripped.index(name) for name in names]
                    continue
            yield partial(self._cells, cells, order, reader.line_num)

    def _not_csv(self, number: int, fault: csv.Error) -> NoReturn:
        raise self._bad(number, f"not CSV: {fault}")

    def _cells(self, cells: Sequence[str], order: Sequence[int], number: int) -> Row:
        if len(cells) != len(order):
            raise self._bad(number, f"{len(cells)} cells for {len(order)} columns")
        return self.text_row([cells[place] for place in order], number)

    def text_row(self, cells: Sequence[str], number: int) -> Row:
        """A row from one text per column."""
        values = []
        for cell, column in zip(cells, self._columns, strict=True):
            try:
                values.append(_cell(cell, column.type))
            except ValueError as fault:
                raise self._bad(number, f"column {column.name}: {fault}") from None
        return self._conformed(values, number)

    def _conformed(self, values: Sequence[object], number: int) -> Row:
        if len(values) != len(self._columns):
            raise self._bad(number, f"{len(values)} values for {len(self._columns)} columns")
        row = []
        for value, form, column in zip(values, self._forms, self._columns, strict=True):
            try:
                row.append(form(value))
            except Misfit as fault:
                raise self._bad(number, f"column {column.name}: {fault}") from None
        return tuple(row)


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Without the byte order mark that some editors put before a text."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def _json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def from_json(value: object) -> object:
    """A JSON value as one of the language; an object is a map, or bytes.

    Raises ValueError where what is said to be bytes is not hexadecimal.
    """
    if isinstance(value, list):
        return tuple(map(from_json, value))
    if isinstance(value, dict):
        if set(value) == {"bytes"} and isinstance(value["bytes"], str):
            try:
                return bytes.fromhex(value["bytes"])
            except ValueError:
                raise ValueError(f"{value['bytes']!r} is not bytes in hexadecimal") from None
        return tuple((key, from_json(item)) for key, item in value.items())
    return value


_BOOLS = {"true": True, "false": False, "1": True, "0": False}


def _bool(cell: str) -> bool:
    try:
        return _BOOLS[cell.strip().lower()]
    except KeyError:
        raise ValueError(f"{cell!r} is not true or false") from None


def _number(cell: str, kind: Callable[[str], Any], name: str) -> Any:
    try:
        return kind(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is not {name}") from None


def _cell(cell: str, type_: ir.Type) -> object:
    """A CSV cell by its column's type.  Raises ValueError."""
    if isinstance(type_, ir.Lattice) and type_.name in ("Max", "Min"):
        return None if cell == "" else _cell(cell, type_.args[0])
    if isinstance(type_, ir.Lattice) and type_.name == "Bool":
        return _bool(cell)
    if isinstance(type_, ir.Plain):
        match type_.name:
            case "str" | "Address":
                return cell
            case "bytes":
                return cell.encode()
            case "int":
                return _number(cell, int, "an int")
            case "float":
                return _number(cell, float, "a float")
            case "bool":
                return _bool(cell)
            case _:  # Any: JSON where it is JSON, else text
                try:
                    return from_json(_json_value(cell))
                except ValueError:
                    return cell
    try:
        return from_json(_json_value(cell))
    except ValueError as fault:
        raise ValueError(f"{cell!r} is not JSON: {fault}") from None


def guess(line: str) -> Format:
    """The format of a source without a suffix, by its first line."""
    return "json" if line.lstrip("\ufeff \t")[:1] in ("[", "{") else "csv"


def row_text(name: str, row: Row) -> str:
    """`done(1, "a")`: a row for people."""
    return f"{name}({', '.join(map(value_text, row))})"


def row_json(row: Row) -> list[object]:
    """A row for machines."""
    return [plain_value(value) for value in row]
