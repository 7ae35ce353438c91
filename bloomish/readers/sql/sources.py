"""FROM and its joins as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from bloomish import ir
from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.conditions import cases, compare, holding
from bloomish.readers.sql.frames import Body, Produced, Row, finish, holds
from bloomish.readers.sql.model import NULL, Cell, Frame, Rel, Slot
from bloomish.readers.sql.script import identifier, plain_name
from bloomish.readers.sql.values import constant


def frames_of(select: exp.Select, builder: Builder, outer: Frame | None = None) -> list[Frame]:
    """All the ways in which FROM gives a row."""
    from_ = select.args.get("from_")
    frames = [Frame(outer=outer)]
    if from_ is not None:
        frames = _source(from_.this, frames, builder)
    if select.args.get("laterals"):
        raise builder.no(select.args["laterals"][0], "LATERAL")
    for join in select.args.get("joins") or ():
        frames = _join(frames, join, builder)
    return frames


def _source(node: exp.Expr, frames: list[Frame], builder: Builder) -> list[Frame]:
    rel, alias = _relation(node, builder)
    for clause in ("pivots", "sample", "when", "version"):
        if node.args.get(clause):
            raise builder.no(node, f"{clause.upper().rstrip('S')} of a table")
    if any(slot[0] == alias for frame in frames for slot in frame.columns):
        raise builder.no(node, f"two tables are called {alias}", "give one an alias")
    made = [builder.read(rel, alias, frame) for frame in frames]
    for join in node.args.get("joins") or ():
        made = _join(made, join, builder)
    return made


def _relation(node: exp.Expr, builder: Builder) -> tuple[Rel, str]:
    alias = identifier(node.args["alias"].this) if node.args.get("alias") else ""
    match node:
        case exp.Table() if isinstance(node.this, exp.Identifier):
            name = plain_name(node)
            rel = builder.relations.get(name)
            if rel is None:
                mend = "declare it by CREATE TABLE before it is read"
                raise builder.no(node, f"there is no table or view {name}", mend)
            return _renamed(rel, node), alias or name
        case exp.Subquery():
            from bloomish.readers.sql.queries import relation_of

            rel = relation_of(node, f"{builder.view}_{alias or 'part'}", builder)
            return _renamed(rel, node), alias or f"#{len(builder.collections)}"
        case exp.Values():
            return _renamed(_values(node, builder), node), alias or "values"
    raise builder.no(node, f"{node.sql()[:40]} in FROM")


def _renamed(rel: Rel, node: exp.Expr) -> Rel:
    alias = node.args.get("alias")
    names = [identifier(column) for column in alias.args.get("columns") or ()] if alias else []
    if not names:
        return rel
    cols = [replace(col, name=name) for col, name in zip(rel.cols, names, strict=False)]
    new = {old.name: col.name for old, col in zip(rel.cols, cols, strict=False)}
    key = tuple(new.get(name, name) for name in rel.key)
    return replace(rel, cols=(*cols, *rel.cols[len(cols) :]), key=key)


def _values(node: exp.Values, builder: Builder) -> Rel:
    """VALUES: its rows by their numbers."""
    rows = []
    for number, item in enumerate(node.expressions, 1):
        parts = item.expressions if isinstance(item, exp.Tuple) else [item]
        cells = tuple(constant(part, builder) for part in parts)
        rows.append(Row((), cells, (ir.Const(number),)))
    names = [f"col{n}" for n in range(len(rows[0].cells))]
    return finish(Produced(names, rows, node=node), f"{builder.view}_values", builder)


# ------------------------------------------------------------------------- joins


def _join(lefts: list[Frame], join: exp.Join, builder: Builder) -> list[Frame]:
    side, kind, method = (join.text(part).upper() for part in ("side", "kind", "method"))
    if method not in ("", "NATURAL") or kind not in ("", "INNER", "OUTER", "CROSS", "SEMI", "ANTI"):
        raise builder.no(join.this, f"{method} {kind} JOIN".replace("  ", " ").strip())
    if isinstance(join.this, exp.Lateral | exp.Unnest):
        raise builder.no(join.this, "LATERAL and UNNEST")
    outer = lefts[0].outer
    rights = _source(join.this, [Frame(outer=outer)], builder)
    shared = _shared(join, method, lefts[0], rights[0], side, builder)
    frames: list[Frame] = []
    if kind in ("SEMI", "ANTI"):
        for left in lefts:
            bodies = [b for right in rights for b in _matches(left, right, join, shared, builder)]
            atom = holds(left, bodies, "match", builder)
            frames.append(left.also(replace(atom, negated=kind == "ANTI")))
        return frames
    for left in lefts:
        for right in rights:
            both = _beside(left, right, shared, side)
            bodies = _conditions(both, join, shared, builder)
            frames.extend(both.also(*body) for body in bodies)
    if side in ("LEFT", "FULL"):
        for left in lefts:
            bodies = [b for right in rights for b in _matches(left, right, join, shared, builder)]
            atom = holds(left, bodies, "match", builder)
            padded = _beside(
                left.also(replace(atom, negated=True)), _nulls(rights[0]), shared, side
            )
            frames.append(padded)
    if side in ("RIGHT", "FULL"):
        for right in rights:
            bodies = [b for left in lefts for b in _matches(right, left, join, shared, builder)]
            atom = holds(right, bodies, "match", builder)
            padded = _beside(
                _nulls(lefts[0]), right.also(replace(atom, negated=True)), shared, side
            )
            frames.append(padded)
    # A condition that can never hold still leaves a join with columns.
    nothing = ir.Condition(ir.Const(False))
    return frames or [_beside(lefts[0], rights[0], shared, side).also(nothing)]


def _matches(
    one: Frame, other: Frame, join: exp.Join, shared: Sequence[tuple[Slot, Slot]], builder: Builder
) -> list[Body]:
    """What has to hold of the other side for a partner of `one`."""
    both = replace(
        _beside(one, other, (), ""), merged=frozenset(), columns={**one.columns, **other.columns}
    )
    return [(*other.literals, *body) for body in _conditions(both, join, shared, builder)]


def _conditions(
    both: Frame, join: exp.Join, shared: Sequence[tuple[Slot, Slot]], builder: Builder
) -> list[Body]:
    on = join.args.get("on")
    if on is not None:
        return cases(on, "true", both, builder)
    bodies: list[Body] = [()]
    for left, right in shared:
        node = exp.EQ(this=exp.column(left[1], left[0]), expression=exp.column(right[1], right[0]))
        result = compare(node, both.columns[left], both.columns[right], "true", builder)
        bodies = [(*body, *more) for body in bodies for more in holding(result, ())]
    return bodies


def _shared(
    join: exp.Join, method: str, left: Frame, right: Frame, side: str, builder: Builder
) -> list[tuple[Slot, Slot]]:
    """The pairs of columns that USING and NATURAL equate."""
    names = [identifier(column) for column in join.args.get("using") or ()]
    if method == "NATURAL":
        here = {slot[1] for slot in right.columns}
        names = [slot[1] for slot in left.columns if slot[1] in here and slot not in left.merged]
    if names and side == "FULL":
        raise builder.no(join.this, "FULL JOIN with USING", "write ON and COALESCE", "FULL")
    pairs = []
    for name in names:
        ones = [s for s in left.columns if s[1] == name and s not in left.merged]
        twos = [s for s in right.columns if s[1] == name and s not in right.merged]
        if len(ones) != 1 or len(twos) != 1:
            raise builder.no(join.this, f"{name} is not one column of each side")
        pairs.append((ones[0], twos[0]))
    return pairs


def _beside(left: Frame, right: Frame, shared: Sequence[tuple[Slot, Slot]], side: str) -> Frame:
    gone = {one if side == "RIGHT" else two for one, two in shared}
    return Frame(
        (*left.literals, *right.literals),
        {**left.columns, **right.columns},
        {**left.ids, **right.ids},
        left.merged | right.merged | gone,
        left.outer,
    )


def _nulls(frame: Frame) -> Frame:
    """The frame of a missing partner."""
    columns = {slot: Cell(NULL, cell.type, "yes") for slot, cell in frame.columns.items()}
    return Frame((), columns, dict.fromkeys(frame.ids, NULL), frame.merged, frame.outer)
