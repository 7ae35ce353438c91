"""How operations are done with a program: which row is inserted for one, which row answers it.

A text says it, part by part; each part is one model (`sim/objects.py`) on keys of its own:

    model: register
    initial: ""
    read:  invoke(process, number, "get", key, "", "") -> answer(process, number, _, answer)
    write: invoke(process, number, "put", key, value, "") -> answer(process, number, true, _)

    model: register
    first: write
    ...

    model: lock
    acquire: ask(owner, key) -> granted(owner, key) = true | denied(owner, key) = false

Left of the arrow an input and the row for it, right of it outputs of the same node and what their
rows look like.  In a row stand JSON values, `_` (anything) and

    process  the client's number, never used again after an operation of unknown outcome
    number   how many operations the process has begun, this one included
    id       a number that no other operation has
    node     the address of the node that is asked
    key, value, old and new (of a cas), owner (of a lock)
    answer   in an output: what the operation answers; else that is what stands behind `=`, or null

`first` names the operation that every key begins with, where the others get no answer before.  A
number goes into a column of text as text, where the input says that its column is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bloomish import ir
from bloomish.errors import BloomishError
from bloomish.runtime.evaluator import Row
from bloomish.runtime.roles import Role, Roles
from bloomish.runtime.sim.objects import MODELS

NAMES = ("process", "number", "id", "node", "key", "value", "old", "new", "owner")
ANSWER, ANYTHING = "answer", "_"
SAID = {"cas": ("old", "new"), "acquire": ("owner", "value"), "release": ("owner", "value")}
"""Which of value, old, new and owner an operation has: a read none, others their value."""


@dataclass(frozen=True)
class Name:
    """A term that stands for what it names."""

    name: str


Term = Name | str | int | float | bool | None
"""A name, or a JSON value that is no array."""


@dataclass(frozen=True)
class Pattern:
    """A collection and what its rows look like."""

    collection: str
    terms: tuple[Term, ...]
    answer: Any = None
    """What such a row answers, if no term is `answer`."""

    def answered(self, row: Row, bound: Mapping[str, Any]) -> tuple[Any] | None:
        """The answer that a row gives to an operation; None if it is no answer to that one."""
        if len(row) != len(self.terms):
            return None
        answer = self.answer
        for term, value in zip(self.terms, row, strict=True):
            if not isinstance(term, Name):
                if term != value or type(term) is not type(value):
                    return None
            elif term.name == ANSWER:
                answer = value
            elif term.name != ANYTHING and str(bound[term.name]) != str(value):
                return None
        return (answer,)


@dataclass(frozen=True)
class Form:
    """How one operation is done."""

    f: str
    asks: Pattern
    answers: tuple[Pattern, ...]
    line: int = 0
    """Of the text."""


@dataclass(frozen=True)
class Part:
    """One model of the text, and the role whose nodes do it."""

    model: str
    initial: Any
    forms: Mapping[str, Form]
    role: Role
    columns: Mapping[str, tuple[ir.Column, ...]] = field(default_factory=dict)
    """Of the inputs."""
    first: str = ""
    """What every key begins with; nothing: anything."""

    def row(self, f: str, bound: Mapping[str, Any]) -> Row:
        """The row to be inserted for an operation."""
        asks = self.forms[f].asks
        return tuple(
            _fitting(column.type, bound[term.name] if isinstance(term, Name) else term)
            for term, column in zip(asks.terms, self.columns[asks.collection], strict=True)
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs in which answers stand."""
        return tuple({one.collection: None for form in self.forms.values() for one in form.answers})

    def made_values(self) -> type[int] | type[str]:
        """What its input takes as a value."""
        for form in self.forms.values():
            columns = self.columns[form.asks.collection]
            for term, column in zip(form.asks.terms, columns, strict=True):
                if isinstance(term, Name) and term.name in ("value", "new", "owner"):
                    return int if column.type == ir.Plain("int") else str
        return str


def _fitting(type_: ir.Type, value: Any) -> Any:
    """A value as a column takes it."""
    if isinstance(type_, ir.Plain) and type_.name in ("str", "Address") and type(value) is int:
        return str(value)
    return value


# ----------------------------------------------------------------- reading


class WrongOperations(BloomishError):
    """A text that does not say how operations are done."""


def read(path: Path, declared: Roles) -> tuple[Part, ...]:
    """The parts in a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise BloomishError(f"{path}: {fault}") from None
    return parse(text, declared, str(path))


def parse(text: str, declared: Roles, name: str = "operations") -> tuple[Part, ...]:
    """The parts of a text, for a cluster whose inputs and outputs they name."""
    parts: list[tuple[str, dict[str, Any], dict[str, Form]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        try:
            word, colon, rest = (piece.strip() for piece in line.partition(":"))
            if not colon:
                raise ValueError("there is no colon: write `model: register` or `read: ... -> ...`")
            if word == "model":
                if rest not in MODELS:
                    raise ValueError(f"no model {rest!r}; there are {', '.join(MODELS)}")
                if any(model == rest for model, _, _ in parts):
                    raise ValueError(f"there is a part for {rest} already; their keys would meet")
                parts.append((rest, {"model": number}, {}))
            elif not parts:
                raise ValueError("a part begins with `model: NAME`")
            elif word in parts[-1][1] or word in parts[-1][2]:
                raise ValueError(f"`{word}` is given already for the {parts[-1][0]}")
            elif word == "initial":
                parts[-1][1]["initial"] = _initial(parts[-1][0], rest)
            elif word == "first":
                parts[-1][1]["first"] = rest
                parts[-1][1]["first line"] = number
            else:
                model, _, forms = parts[-1]
                if word not in MODELS[model].operations:
                    known = ", ".join(MODELS[model].operations)
                    raise ValueError(f"a {model} has no operation {word!r}; it has: {known}")
                forms[word] = _form(word, rest, number)
        except ValueError as fault:
            raise WrongOperations(f"{name}:{number}: {fault}") from None
    if not parts:
        raise WrongOperations(f"{name}: no part begins with `model: NAME`")
    try:
        return tuple(_placed(model, said, forms, declared) for model, said, forms in parts)
    except _Misplaced as fault:
        raise WrongOperations(f"{name}:{fault.line}: {fault}") from None


class _Misplaced(ValueError):
    """What a line says does not fit the model or the cluster."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{text!r} is no JSON value") from None


def _initial(model: str, text: str) -> Any:
    value = _json(text)
    try:
        MODELS[model].first(value)
    except ValueError:
        raise ValueError(f"no {model} begins as {text}") from None
    return value


_PATTERN = re.compile(r"\s*([\w.]+)\((.*?)\)\s*(?:=\s*(.+?))?\s*")


_ALTERNATIVES = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')
"""What stands between them; not in a string."""


def _form(f: str, text: str, line: int) -> Form:
    left, arrow, right = text.partition("->")
    if not arrow:
        raise ValueError("there is no `->` between the input and the output")
    asks = _pattern(left)
    if asks.answer is not None or Name(ANSWER) in asks.terms or Name(ANYTHING) in asks.terms:
        raise ValueError("`answer`, `_` and `=` belong to outputs")
    form = Form(f, asks, tuple(_pattern(one) for one in _ALTERNATIVES.split(right)), line)
    said = () if f == "read" else SAID.get(f, ("value",))
    for one in (asks, *form.answers):
        for name in ("value", "old", "new", "owner"):
            if Name(name) in one.terms and name not in said:
                known = " and ".join(f"`{known}`" for known in said) or "neither value nor owner"
                raise ValueError(f"{f} has no `{name}`; it has {known}")
    needed = ("key",) if f in ("read", "acquire", "release") else ("key", *said)
    for name in needed:
        if Name(name) not in asks.terms:
            raise ValueError(f"`{name}` is not in the row for {f}: it would not matter")
    if f == "read" and not any(
        Name(ANSWER) in one.terms or one.answer is not None for one in form.answers
    ):
        raise ValueError("read answers something: put `answer` into its output")
    return form


def _pattern(text: str) -> Pattern:
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text.strip()!r} is not NAME(..., ...)")
    collection, inner, answer = found.groups()
    terms = tuple(_terms(inner))
    return Pattern(collection, terms, None if answer is None else _json(answer))


_TERM = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,"]+)\s*(?:,|$)')


def _terms(text: str) -> Iterator[Term]:
    place = 0
    while place < len(text):
        found = _TERM.match(text, place)
        if found is None:
            raise ValueError(f"{text[place:].strip()!r}: neither a name nor a value")
        word, place = found[1].strip(), found.end()
        if word in (*NAMES, ANSWER, ANYTHING):
            yield Name(word)
            continue
        try:
            yield json.loads(word)
        except ValueError:
            known = ", ".join((*NAMES, ANSWER, ANYTHING))
            raise ValueError(f"{word!r} is neither a JSON value nor one of {known}") from None


def _placed(
    model: str, said: Mapping[str, Any], forms: Mapping[str, Form], declared: Roles
) -> Part:
    """The part, with the role that has its inputs and outputs; raises ValueError."""
    if not forms:
        raise _Misplaced(said["model"], f"no operation of the {model} is given")
    first = said.get("first", "")
    if first and first not in forms:
        raise _Misplaced(
            said["first line"], f"the {model} begins with {first!r}, which is not given"
        )
    inputs = {form.asks.collection: form.line for form in forms.values()}
    for role in declared.roles:
        kinds = {one.name: one for one in role.program.collections}
        if all(name in kinds and kinds[name].kind == "input" for name in inputs):
            break
    else:
        raise _Misplaced(*_unknown(inputs, declared))
    for form in forms.values():
        for pattern in form.answers:
            name = pattern.collection
            if name not in kinds or kinds[name].kind != "output":
                raise _Misplaced(form.line, f"the role {role.name} has no output {name}")
        for pattern in (form.asks, *form.answers):
            columns = kinds[pattern.collection].columns
            if len(columns) != len(pattern.terms):
                raise _Misplaced(
                    form.line,
                    f"{pattern.collection} has {len(columns)} columns, not {len(pattern.terms)}",
                )
        for term, column in zip(form.asks.terms, kinds[form.asks.collection].columns, strict=True):
            _check(form, term, column)
    taken = {name: kinds[name].columns for name in inputs}
    return Part(model, said.get("initial"), forms, role, taken, first)


TYPES = {
    "int": (int,),
    "float": (float,),
    "bool": (bool,),
    "str": (str, int),
    "Address": (str, int),
}
"""What a column takes; a number goes into one of text as text."""
ARE = {"key": str, "node": str, "process": int, "number": int, "id": int}


def _check(form: Form, term: Term, column: ir.Column) -> None:
    """Raises _Misplaced for a term that an input's column does not take."""
    if not isinstance(column.type, ir.Plain) or column.type.name not in TYPES:
        return
    if isinstance(term, Name):
        if term.name not in ARE or ARE[term.name] in TYPES[column.type.name]:
            return
        shown = f"`{term.name}`"
    elif type(term) in TYPES[column.type.name]:
        return
    else:
        shown = json.dumps(term, ensure_ascii=False)
    where = f"{form.asks.collection}.{column.name}"
    raise _Misplaced(form.line, f"{shown} is not of type {column.type.name}, which {where} is")


def _unknown(inputs: Mapping[str, int], declared: Roles) -> tuple[int, str]:
    """Which line is wrong, where no role has all inputs, and why."""
    known = {
        one.name for role in declared.roles for one in role.program.collections
        if one.kind == "input"
    }  # fmt: skip
    missing = [name for name in inputs if name not in known] or list(inputs)
    names = ", ".join(sorted(missing))
    return inputs[missing[0]], f"no role of {declared.name} has the input(s) {names}"
