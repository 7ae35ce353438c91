"""What a program vouches for: declared boundaries and assumptions.

`protocol` says what guards a program's points of order (ballots, stable
storage, a total order); `assume` states a dependency that the analyzer may use
and that exploration tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bloomish import ir, scope
from bloomish.collections import Collection
from bloomish.errors import ProgramError
from bloomish.source import fail, span_at, user_frame

KINDS = ("fd", "sealed", "injective", "ends")


def _scope(what: str, span: ir.Span) -> scope.Scope:
    found = scope.current()
    if found is None:
        raise ProgramError(
            span,
            f"`{what}` outside the body of a Program class",
            "state it inside `class Name(Program):`",
        )
    return found


def protocol(by: Any = (), ordered: Any = (), sealed: Any = None) -> None:
    """This program is a protocol: its points of order are guarded `by` something,
    the collections `ordered` are a decided log, and `sealed={rows: complete}` says that of
    `rows` all are there where `complete` has a row that agrees in the columns of both."""
    span = span_at(user_frame())
    here = _scope("protocol", span)
    guards = (by,) if isinstance(by, str) else tuple(by)
    if not guards or not all(isinstance(guard, str) and guard.strip() for guard in guards):
        fail(
            "`protocol` does not say what guards the order",
            'write `protocol(by="ballot order")`, or several: `by=("ballot order", "quorum")`',
        )
    logs = (ordered,) if isinstance(ordered, Collection) else tuple(ordered)
    for log in logs:
        if not isinstance(log, Collection):
            fail(f"`ordered={log!r}` is not a collection", "name the decided log: `ordered=log`")
        log._needs_name()
    pairs = _sealed(sealed)
    names = tuple((rows.name, complete.name) for rows, complete in pairs)
    guard = ir.Guard("", guards, tuple(log.name for log in logs), names, span)
    uses = frozenset((*logs, *(one for pair in pairs for one in pair)))
    here.statements.boundaries.append(scope.Boundary(guard, uses, span))


def _sealed(sealed: Any) -> tuple[tuple[Collection, Collection], ...]:
    """`sealed={rows: complete}`, checked: every column of `complete` is one of `rows`."""
    if sealed is None:
        return ()
    pairs: tuple[tuple[Any, Any], ...] = ((sealed, None),)
    if isinstance(sealed, Mapping):
        pairs = tuple(sealed.items())
    for rows, complete in pairs:
        if not (isinstance(rows, Collection) and isinstance(complete, Collection)):
            fail(
                f"`sealed={sealed!r}` is not a mapping of collections",
                "name the rows and what says that they are all there: `sealed={rows: complete}`",
            )
        rows._needs_name()
        complete._needs_name()
        known = {column.name for column in rows.columns}
        for column in complete.columns:
            if column.name not in known:
                fail(
                    f"`{complete.name}` has the column `{column.name}`, and `{rows.name}` has not",
                    "what says that rows are complete has columns of these rows alone",
                )
    return pairs


def assume(kind: Any, collection: Any, key: Any = (), value: Any = ()) -> None:
    """`assume("fd", put, key="request", value="client value")`: the key determines the value;
    `"sealed"`: complete for each key; `"injective"`: key to value is one to one; `"ends"`: a
    row of this input says that the host has no more for that key."""
    span = span_at(user_frame())
    here = _scope("assume", span)
    if kind not in KINDS:
        fail(
            f"`assume({kind!r}, ...)`: no such assumption",
            'it is "fd" (key determines value), "sealed" (complete for each key), '
            '"injective" (key to value is one to one) or "ends" (the host has no more)',
        )
    if not isinstance(collection, Collection):
        fail(f"`{collection!r}` is not a collection", f'write `assume("{kind}", link, key="src")`')
    collection._needs_name()
    keys, values = _columns(collection, key), _columns(collection, value)
    if kind == "ends":
        if collection._data.kind != "input" or values:
            fail(
                '`assume("ends", ...)` is about an input, and has a key only',
                'write `assume("ends", finished, key="session")`',
            )
    elif kind != "sealed" and not (keys and values):
        fail(
            f'`assume("{kind}", ...)` needs a key and a value',
            f'write `assume("{kind}", {collection.name}, key="a", value="b")`',
        )
    if kind == "sealed" and values:
        fail('`assume("sealed", ...)` has a key only', "leave `value` out")
    assumption = ir.Assume(kind, collection.name, keys, values, span)
    here.statements.boundaries.append(scope.Boundary(assumption, frozenset({collection}), span))


def _columns(collection: Collection, written: Any) -> tuple[str, ...]:
    """`"a b"`, `"a, b"` or `("a", "b")`."""
    if isinstance(written, str):
        names: tuple[Any, ...] = tuple(written.replace(",", " ").split())
    elif isinstance(written, Iterable):
        names = tuple(written)
    else:
        names = (written,)
    known = [column.name for column in collection.columns]
    for name in names:
        if name not in known:
            fail(
                f"`{collection.name}` has no column `{name}`",
                f"its columns are {', '.join(f'`{column}`' for column in known)}",
            )
    return names
