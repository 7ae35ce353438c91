"""Which column a name means: here first, then outside (correlation)."""

from __future__ import annotations

from sqlglot import exp

from bloomish.readers.sql.builder import Builder
from bloomish.readers.sql.model import ROW, Cell, Frame, Slot
from bloomish.readers.sql.script import identifier


def find(node: exp.Column, frame: Frame, builder: Builder) -> Cell:
    """The value of a column."""
    name, table = identifier(node.this), identifier(node.args["table"]) if node.table else ""
    for one in frame.outwards():
        slots = matching(one, name, table)
        if len(slots) > 1:
            raise builder.no(
                node, f"{node.sql()} could be a column of several tables", "name the table"
            )
        if slots:
            cell = one.columns[slots[0]]
            known = one.known.get(slot_text(slots[0]))
            if one.grouped:
                if known is None:
                    mend = "put it into GROUP BY, or aggregate it"
                    raise builder.no(node, f"{node.sql()} is neither grouped nor aggregated", mend)
                return known
            return cell
    raise builder.no(node, f"no table that is read here has a column {node.sql()}")


def matching(frame: Frame, name: str, table: str) -> list[Slot]:
    """The slots that a name can mean in one frame."""
    found = [
        slot
        for slot in frame.columns
        if slot[1] == name and (slot[0] == table if table else slot not in frame.merged)
    ]
    if not found and table:
        found = [s for s in frame.columns if s[1] == name and s[0].split(".")[-1] == table]
    return found


def slot_text(slot: Slot) -> str:
    """A column's key among the known values of a grouped frame."""
    return f"column {slot[0]}.{slot[1]}"


def starred(node: exp.Expr, frame: Frame, builder: Builder) -> list[tuple[str, Slot]]:
    """The columns of `*` and `t.*`."""
    star = node.this if isinstance(node, exp.Column) else node
    table = identifier(node.args["table"]) if isinstance(node, exp.Column) else ""
    if star.args.get("replace") or star.args.get("rename"):
        raise builder.no(node, "* with REPLACE or RENAME", "name the columns")
    left_out = {
        identifier(c.this if isinstance(c, exp.Column) else c)
        for c in star.args.get("except_") or ()
    }
    slots = [
        slot
        for slot in frame.columns
        if slot[1] != ROW
        and slot[1] not in left_out
        and (slot[0] == table if table else slot not in frame.merged)
    ]
    if not slots:
        raise builder.no(node, f"{node.sql()} has no columns here")
    return [(slot[1], slot) for slot in slots]
