"""Histories: what clients asked, what they were told, and when; as JSON lines.

    {"time": 1200, "process": 0, "type": "invoke", "f": "write", "key": "x", "value": 1}
    {"time": 1900, "process": 0, "type": "ok", "f": "write", "key": "x", "value": 1}

A process does one operation at a time.  `ok`: it was executed, and this is the answer.  `fail`: it
was not, and never will be.  `info`: nobody knows; it may still take effect at any time, or never,
and its process number does nothing more.  An operation without a completion is as good as `info`.
The words are those of Jepsen (Kingsbury); docs/reference/history.md has all fields.

The order of lines is the order of events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO, get_args

from bloomish.errors import BloomishError

VERSION = 1
Type = Literal["invoke", "ok", "fail", "info"]
Outcome = Literal["ok", "fail", "open"]
TYPES = get_args(Type)


class HistoryFault(BloomishError):
    """A file that is no history; the text says where and why."""

    def __init__(self, name: str, line: int, text: str) -> None:
        super().__init__(f"{name}:{line}: {text}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Event:
    """One line about an operation."""

    time: int
    """Nanoseconds of a clock that never goes back."""
    process: int
    type: Type
    f: str
    key: Any = None
    value: Any = None
    error: str = ""
    node: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a file; what is empty is left out."""
        fields: dict[str, Any] = {
            "time": self.time,
            "process": self.process,
            "type": self.type,
            "f": self.f,
        }
        if self.key is not None:
            fields["key"] = self.key
        fields["value"] = self.value
        if self.error:
            fields["error"] = self.error
        if self.node:
            fields["node"] = self.node
        return fields


@dataclass(frozen=True, slots=True)
class Note:
    """One line about something else: a fault as it begins or ends."""

    time: int
    text: str

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"time": self.time, "type": "note", "text": self.text}


@dataclass(frozen=True, slots=True)
class Header:
    """The first line, which may be missing: what the history is of."""

    model: str = ""
    initial: Any = None
    about: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else whoever wrote it wants to be known: target, seed, faults."""

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {
            "type": "history",
            "version": VERSION,
            "model": self.model,
            "initial": self.initial,
            **self.about,
        }


@dataclass(frozen=True, slots=True)
class Operation:
    """An invocation and what became of it."""

    process: int
    f: str
    key: Any
    value: Any
    """What was asked."""
    answer: Any
    """What was told; None where nobody was told anything."""
    outcome: Outcome
    begin: int
    """The line of its invocation."""
    end: int | None
    """The line of its completion, if that is `ok` or `fail`."""
    began: int = 0
    ended: int | None = None
    """The times of these lines."""
    node: str = ""
    """Who was asked."""

    @property
    def lines(self) -> str:
        """Where it stands in the file."""
        return f"line {self.begin}" if self.end is None else f"lines {self.begin}-{self.end}"


@dataclass(frozen=True)
class History:
    """A history that has been read: its operations in the order of their invocations."""

    operations: tuple[Operation, ...]
    header: Header = Header()
    notes: tuple[tuple[int, Note], ...] = ()
    """With their lines."""
    name: str = "history"


# ----------------------------------------------------------------- reading


def read(path: Path) -> History:
    """The history in a file."""
    try:
        with path.open("rb") as lines:
            return parse(_decoded(lines, str(path)), str(path))
    except OSError as fault:
        raise BloomishError(f"{path}: {fault}") from None


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Lines as text.  A last one that was cut off within a character is left out."""
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as fault:
            if fault.end == len(line) and fault.reason == "unexpected end of data":
                break
            raise HistoryFault(
                name, number, f"not UTF-8: byte {fault.start + 1}: {fault.reason}"
            ) from None


def parse(lines: Iterable[str], name: str = "history") -> History:
    """The history in lines of text.  A last line that was cut off (whoever wrote it was killed) is
    left out; anything else that makes no sense raises HistoryFault."""
    header, headed = Header(), False
    notes: list[tuple[int, Note]] = []
    events: list[tuple[int, Event]] = []
    latest: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except ValueError as fault:
            if not line.endswith("\n"):
                break
            raise HistoryFault(name, number, f"not JSON: {fault}") from None
        except RecursionError:
            raise HistoryFault(name, number, "nested too deep") from None
        if not isinstance(fields, dict):
            raise HistoryFault(name, number, f"an event is an object, this is {line.strip()[:40]}")
        if fields.get("type") == "history":
            if headed or events or notes:
                raise HistoryFault(name, number, "a line of type history comes first, and once")
            header, headed = _header(name, number, fields), True
            continue
        time = _whole(name, number, fields, "time", number)
        if latest is not None and time < latest:
            raise HistoryFault(
                name, number, f"its time, {time}, is before that of the line above: sort by time"
            )
        latest = time
        if fields.get("type") == "note":
            notes.append((number, Note(time, str(fields.get("text", "")))))
        else:
            events.append((number, _event(name, number, fields, time)))
    return History(tuple(pair(events, name)), header, tuple(notes), name)


def _header(name: str, line: int, fields: dict[str, Any]) -> Header:
    version = fields.pop("version", VERSION)
    if version != VERSION:
        raise HistoryFault(name, line, f"version {version}; this reads version {VERSION}")
    del fields["type"]
    model, initial = fields.pop("model", ""), fields.pop("initial", None)
    return Header("" if model is None else str(model), initial, fields)


def _whole(name: str, line: int, fields: Mapping[str, Any], key: str, default: int | None) -> int:
    value = fields.get(key, default)
    if type(value) is not int:
        raise HistoryFault(
            name, line, f"`{key}` is missing" if value is None else f"`{key}` is no whole number"
        )
    return value


def _event(name: str, line: int, fields: Mapping[str, Any], time: int) -> Event:
    kind: Any = fields.get("type")
    f = fields.get("f")
    if kind not in TYPES:
        raise HistoryFault(
            name, line, f"`type` is {kind!r}; it is one of {', '.join(TYPES)}, note, history"
        )
    if not isinstance(f, str):
        raise HistoryFault(name, line, "`f`, what is done, is missing")
    process = _whole(name, line, fields, "process", None)
    error, node = str(fields.get("error", "")), str(fields.get("node", ""))
    return Event(time, process, kind, f, fields.get("key"), fields.get("value"), error, node)


def pair(events: Iterable[tuple[int, Event]], name: str = "history") -> Iterator[Operation]:
    """Operations from events with their lines, in the order of their invocations."""
    invoked: dict[int, int] = {}
    found: list[tuple[int, Event, tuple[int, Event] | None]] = []
    gone: dict[int, int] = {}
    for line, event in events:
        process = event.process
        place = invoked.get(process)
        if event.type == "invoke":
            if process in gone:
                raise HistoryFault(
                    name,
                    line,
                    f"process {process} ended with the info of line {gone[process]}; "
                    "who goes on is a process of another number",
                )
            if place is not None:
                raise HistoryFault(
                    name,
                    line,
                    f"process {process} still waits for what it invoked in line {found[place][0]}",
                )
            invoked[process] = len(found)
            found.append((line, event, None))
            continue
        if place is None:
            raise HistoryFault(
                name, line, f"process {process} has nothing under way that could be {event.type}"
            )
        begin, invocation, _ = found[place]
        if event.f != invocation.f:
            raise HistoryFault(
                name,
                line,
                f"process {process} invoked {invocation.f} in line {begin}, not {event.f}",
            )
        if event.key is not None and event.key != invocation.key:
            raise HistoryFault(
                name,
                line,
                f"the key is {json.dumps(invocation.key)} in line {begin}, "
                f"here {json.dumps(event.key)}",
            )
        del invoked[process]
        if event.type == "info":
            gone[process] = line
        else:
            found[place] = (begin, invocation, (line, event))
    return (_operation(*one) for one in found)


def _operation(begin: int, asked: Event, completion: tuple[int, Event] | None) -> Operation:
    if completion is None:
        return Operation(
            asked.process,
            asked.f,
            asked.key,
            asked.value,
            None,
            "open",
            begin,
            None,
            asked.time,
            None,
            asked.node,
        )
    end, told = completion
    outcome: Outcome = "ok" if told.type == "ok" else "fail"
    return Operation(
        asked.process,
        asked.f,
        asked.key,
        asked.value,
        told.value,
        outcome,
        begin,
        end,
        asked.time,
        told.time,
        asked.node,
    )


def paired(events: Iterable[Event]) -> History:
    """A history from events at hand; an event's line is its place, from 1."""
    return History(tuple(pair(enumerate(events, start=1))))


# ----------------------------------------------------------------- writing


class HistoryFile:
    """Writes a history, line by line, as it happens."""

    def __init__(self, file: TextIO, header: Header | None = None) -> None:
        self._file = file
        if header is not None:
            self.write(header)

    @staticmethod
    def at(path: Path, header: Header | None = None) -> HistoryFile:
        """A new file; what was there is gone."""
        try:
            return HistoryFile(path.open("w", encoding="utf-8"), header)
        except OSError as fault:
            raise BloomishError(f"{path} cannot be written: {fault.strerror}") from None

    def write(self, line: Event | Note | Header) -> None:
        """One line."""
        text = json.dumps(line.as_dict(), ensure_ascii=False, separators=(", ", ": "))
        self._file.write(text + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> HistoryFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
