"""`sql("CREATE VIEW ...")`: views over a program's collections, stated in SQL.

The SQL reader (and sqlglot) is imported when a program uses it, so that all
others start without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bloomish import ir, scope
from bloomish.collections import Collection
from bloomish.errors import ProgramError
from bloomish.source import span_at, user_frame


def sql(text: Any, outputs: str | Iterable[str] = (), dialect: str = "") -> None:
    """State views over the collections declared so far, the inherited ones included.

    Each view becomes a scratch of its name, or an output where `outputs` names it;
    rules below may use it like any other collection.
    """
    span = span_at(user_frame())
    here = scope.current()
    if here is None:
        raise ProgramError(
            span,
            "`sql` outside the body of a Program class",
            "state views inside `class Name(Program):`",
        )
    if not isinstance(text, str):
        raise ProgramError(span, "`sql` takes a text", 'write `sql("CREATE VIEW ...")`')
    from bloomish.readers.sql.embedded import views_of

    known = _known(here)
    wanted = frozenset(outputs.replace(",", " ").split() if isinstance(outputs, str) else outputs)
    declared = {name: found._data for name, found in known.items()}
    taken = {*known, *here}
    made = views_of(text, declared, taken, wanted, dialect, span)
    own: dict[str, Collection] = {}
    for data in made.collections:
        own[data.name] = Collection(data, root=here)
        here.statements.declared.append(own[data.name])
        if data.name in made.names:
            dict.__setitem__(here, data.name, own[data.name])
    collections = {**known, **own}
    by_name = {found.name: found for found in collections.values()}
    functions = {found.__name__: found for found in made.functions}
    for rule in made.rules:
        uses = frozenset({by_name[rule.head]} | {
            by_name[one.collection] for one in rule.body if isinstance(one, ir.Atom)
        }) | frozenset(functions.values())  # fmt: skip
        here.statements.rules.append(
            scope.Stated(by_name[rule.head], rule.args, rule.op, rule.body, uses, rule.span)
        )
    for facts in made.facts:
        given = scope.Given(by_name[facts.collection], facts.rows, None, facts.span)
        here.statements.facts.append(given)


def _known(here: scope.Scope) -> dict[str, Collection]:
    """The collections that a view may read, by the names that SQL has for them."""
    found: dict[str, Collection] = {}
    for base in here.bases:
        for cls in base.__mro__:
            inner = vars(cls).get("_bloomish_scope")
            for declared in inner.statements.declared if inner is not None else ():
                if isinstance(declared, Collection):
                    found.setdefault(declared.name, declared)
    for declared in here.statements.declared:
        if isinstance(declared, Collection):
            found[declared.name] = declared
    return found
