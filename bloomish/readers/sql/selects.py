"""SELECT: from FROM to the rows of the result."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.aggregates import grouped, has_aggregates
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.columns import matching, slot_text, starred
from bloomish.readers.sql.conditions import cases
from bloomish.readers.sql.frames import Body, Produced, Row
from bloomish.readers.sql.model import Alt, Cell, Frame, Slot
from bloomish.readers.sql.script import identifier
from bloomish.readers.sql.sources import frames_of
from bloomish.readers.sql.values import alternatives
from bloomish.readers.sql.windows import has_windows, windowed

_UNKNOWN = {
    "connect": "CONNECT BY", "match": "MATCH_RECOGNIZE", "prewhere": "PREWHERE", "sample": "SAMPLE",
    "into": "INTO", "locks": "FOR UPDATE", "cluster": "CLUSTER BY", "distribute": "DISTRIBUTE BY",
    "sort": "SORT BY", "kind": "SELECT AS", "pivots": "PIVOT",
}  # fmt: skip


def produce_select(select: exp.Select, builder: Builder) -> tuple[Produced, list[tuple[Cell, ...]]]:
    """The rows of a SELECT without its LIMIT, and for each the values of its ORDER BY."""
    for clause, words in _UNKNOWN.items():
        if select.args.get(clause):
            raise builder.no(select, words)
    frames = _filtered(frames_of(select, builder), select.args.get("where"), builder)
    if has_aggregates(select):
        frames = grouped(select, frames, builder)
        frames = _filtered(frames, select.args.get("having"), builder)
    elif select.args.get("having"):
        raise builder.no(
            select.args["having"], "HAVING without GROUP BY or aggregates", "", "HAVING"
        )
    if has_windows(select):
        frames = windowed(select, frames, builder)
    frames = _filtered(frames, select.args.get("qualify"), builder)
    return _rows(select, frames, builder)


def _filtered(frames: Sequence[Frame], clause: exp.Expr | None, builder: Builder) -> list[Frame]:
    if clause is None:
        return list(frames)
    made = [
        frame.also(*body) for frame in frames for body in cases(clause.this, "true", frame, builder)
    ]
    # A condition that can never hold still leaves a query with columns.
    return made or [frames[0].also(ir.Condition(ir.Const(False)))]


# ------------------------------------------------------------------------ result


def _rows(
    select: exp.Select, frames: Sequence[Frame], builder: Builder
) -> tuple[Produced, list[tuple[Cell, ...]]]:
    distinct = select.args.get("distinct")
    if distinct is not None and distinct.args.get("on") is not None:
        raise builder.no(distinct.args["on"], "DISTINCT ON", "use ROW_NUMBER() ... = 1", "DISTINCT")
    rows: list[Row] = []
    orders: list[tuple[Cell, ...]] = []
    names: list[str] = []
    for frame in frames:
        items = _items(select, frame, builder)
        names = [name for name, _ in items]
        ids = _ids(frame, items)
        keys = _order_nodes(select, items)
        choices: list[tuple[Body, tuple[Cell, ...]]] = [(frame.literals, ())]
        for item in [item for _, item in items]:
            found = (
                [Alt(_slot(frame, item))]
                if isinstance(item, tuple)
                else alternatives(item, frame, builder)
            )
            choices = [((*b, *a.when), (*c, a.cell)) for b, c in choices for a in found]
        for body, cells in choices:
            for more, order in _order_cells(keys, cells, frame, builder):
                rows.append(Row((*body, *more), cells, ids))
                orders.append(order)
    key = _key(select, frames)
    return Produced(_once(names), rows, distinct is not None, select, key), orders


def _once(names: Sequence[str]) -> list[str]:
    """Column names as SQL shows them; a second one of a name is told apart by a number."""
    made: list[str] = []
    for name in names:
        again, number = name, 1
        while again in made:
            number += 1
            again = f"{name}_{number}"
        made.append(again)
    return made


def _items(select: exp.Select, frame: Frame, builder: Builder) -> list[tuple[str, exp.Expr | Slot]]:
    items: list[tuple[str, exp.Expr | Slot]] = []
    for number, item in enumerate(select.expressions, 1):
        if isinstance(item, exp.Star) or (
            isinstance(item, exp.Column) and isinstance(item.this, exp.Star)
        ):
            items.extend(starred(item, frame, builder))
        else:
            items.append((_label(item, number), item))
    return items


def _label(item: exp.Expr, number: int) -> str:
    if isinstance(item, exp.Alias):
        return identifier(item.args["alias"])
    if isinstance(item, exp.Column):
        return identifier(item.this)
    if isinstance(item, exp.Func):
        return item.sql_name().lower()
    return f"col{number}"


def _slot(frame: Frame, slot: Slot) -> Cell:
    return (
        frame.known.get(slot_text(slot), frame.columns[slot])
        if frame.grouped
        else frame.columns[slot]
    )


def _shown(frame: Frame, items: Sequence[tuple[str, exp.Expr | Slot]]) -> set[Slot]:
    """The parts of the row's identity that the result shows anyway."""
    shown: set[Slot] = set()
    for _, item in items:
        if isinstance(item, tuple):
            shown.add(item)
            continue
        inner = item.unalias()
        shown.add(("", inner.sql()))
        if isinstance(inner, exp.Column):
            table = identifier(inner.args["table"]) if inner.table else ""
            found = matching(frame, identifier(inner.this), table)
            shown |= set(found[:1])
    return shown


def _ids(frame: Frame, items: Sequence[tuple[str, exp.Expr | Slot]]) -> tuple[ir.Expr, ...]:
    shown = _shown(frame, items)
    return tuple(expr for slot, expr in frame.ids.items() if slot not in shown)


def _key(select: exp.Select, frames: Sequence[Frame]) -> tuple[str, ...]:
    """The result's own key, where it shows all of the row's identity."""
    names = {}
    for item in select.expressions:
        inner = item.unalias()
        if isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star):
            table = identifier(inner.args["table"]) if inner.table else ""
            for slot in matching(frames[0], identifier(inner.this), table)[:1]:
                names[slot] = (
                    identifier(item.args["alias"]) if isinstance(item, exp.Alias) else slot[1]
                )
    if frames[0].ids and all(slot in names for slot in frames[0].ids):
        return tuple(names[slot] for slot in frames[0].ids)
    return ()


# -------------------------------------------------------------------------- order


def _order_nodes(
    select: exp.Select, items: Sequence[tuple[str, exp.Expr | Slot]]
) -> list[int | exp.Expr]:
    """ORDER BY, only where a LIMIT makes it matter: columns of the result by number."""
    if not (select.args.get("limit") or select.args.get("offset")) or not select.args.get("order"):
        return []
    names = [name for name, _ in items]
    texts = [item.unalias().sql() if isinstance(item, exp.Expr) else "" for _, item in items]
    found: list[int | exp.Expr] = []
    for ordered in select.args["order"].expressions:
        node = ordered.this
        if isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit():
            found.append(int(node.name) - 1)
        elif isinstance(node, exp.Column) and not node.table and identifier(node.this) in names:
            found.append(names.index(identifier(node.this)))
        elif node.sql() in texts:
            found.append(texts.index(node.sql()))
        else:
            found.append(node)
    return found


def _order_cells(
    keys: Sequence[int | exp.Expr], cells: tuple[Cell, ...], frame: Frame, builder: Builder
) -> list[tuple[Body, tuple[Cell, ...]]]:
    made: list[tuple[Body, tuple[Cell, ...]]] = [((), ())]
    for key in keys:
        if isinstance(key, int):
            made = [(body, (*so_far, cells[key])) for body, so_far in made]
            continue
        found = alternatives(key, frame, builder)
        made = [((*b, *a.when), (*c, a.cell)) for b, c in made for a in found]
    return made
