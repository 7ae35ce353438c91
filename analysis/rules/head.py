"""Transfer rules for what a head does with its body: T5 to T9, T11, T14 of ANALYSIS 4.3."""

from __future__ import annotations

from bloomish.analysis.modes import CERTAIN, CONST, DET, EVENT, FLUX, GROW, NONDET, PART, SEQ
from bloomish.analysis.points import PointKind
from bloomish.analysis.polarity import Kept
from bloomish.analysis.rules.case import Case

INSERTS = ("<=", "<+", "<~")


def t5_irreversible(case: Case) -> None:
    """T5: an irreversible use of Flux is the point of order: accumulating (latch), sending
    (export), handing to the outside (final output).

    Accumulating Part is an unguarded join, mended by persisting both sides.  Part
    handed out or sent as an answer stays Part.  Source: ANALYSIS 4.3; Flink's
    error for an append-only sink on a retracting query.
    """
    unit, mode = case.unit, case.mode
    if unit.op not in INSERTS or case.is_monitor:
        return
    if mode is FLUX:
        name = _unsettled(case)
        if case.is_send or case.is_given:
            why = f"{name} may be taken back after it was sent"
        elif case.head.kind == "output":
            why = f"{name} may be taken back after it was handed out"
        elif case.head.persisted:
            why = f"{name} may be taken back after it was stored"
        else:
            return
        case.flag(case.kind_at_head(), "T5", why, through=_through(case),
                  origin=case.origins[-1] if case.origins else None)  # fmt: skip
    elif mode is PART and (case.head.persisted or case.is_given) and not case.cell_of_parts:
        why = "rows that have not met by the time they come are missed, and what met is stored"
        case.flag(PointKind.UNGUARDED_JOIN, "T5", why, through=_through_part(case))
    elif mode is DET and case.is_send and case.known.lineage.is_clocked(case.unit):
        why = "what a clock says is sent, and flows into data elsewhere"
        case.flag(PointKind.CLOCK, "T13", why)


def _unsettled(case: Case) -> str:
    if case.origins:
        return case.origins[-1].subject
    for use in case.unit.positives:
        if case.effective[use.index] is FLUX:
            return use.atom.collection
    return "what the body says"


def _through(case: Case) -> str:
    """The body collection by which what is unsettled comes in."""
    for use in case.unit.positives:
        if case.effective[use.index] is FLUX:
            return use.node
    return case.origins[-1].node if case.origins else ""


def _through_part(case: Case) -> str:
    for wanted in (PART, EVENT):
        for use in case.unit.positives:
            if case.effective[use.index] is wanted:
                return use.node
    return ""


def t6_accumulate(case: Case) -> None:
    """T6: what is accumulated of Const, Grow or Event is Grow; sent, it is Event.

    What shows only at the next tick is not there from the first: no longer Const.
    Local rows of any history count as Event for others: the union over the
    node's ticks is settled.
    """
    unit, head = case.unit, case.head
    if unit.op not in INSERTS or case.mode is NONDET or case.mode is SEQ:
        return
    mode = case.mode
    if case.is_send and mode in (CONST, GROW, DET):
        mode = EVENT
    if head.persisted and mode in (GROW, EVENT, DET):
        mode = GROW
    if unit.op == "<+" and mode is CONST:
        mode = GROW
    if mode is DET and head.id in case.system.asynchronous:
        mode = EVENT
    if mode is not case.mode:
        case.become(mode, "T6", f"{_verb(case)} {head.collection.name}")


def _verb(case: Case) -> str:
    return "sent as" if case.is_send else "stored in" if case.head.persisted else "shown in"


def t7_deletion(case: Case) -> None:
    """T7: `p <- body` (a frame with negation).  Det only if p is local, too.

    If what deletes stays (Grow), p ends as inserts minus deletes: Flux (R3).
    An Event that deletes races with the inserts.  Source: ANALYSIS 4.3.  That
    every insert is guarded by `notin d` need not be asked: a standing `<-`
    deletes again at every tick, whenever the insert comes.
    """
    unit, head = case.unit, case.head
    if unit.op != "<-":
        return
    if head.id not in case.system.asynchronous:
        case.become(DET, "T7", "deletes from a table that nothing asynchronous feeds")
        return
    if case.mode is NONDET:
        return
    rival = _also_inserts(case)
    kind = PointKind.OVERWRITE if rival else PointKind.DELETE_RACE
    gate = case.keys() or _matched(case)
    circular = [use for use in unit.uses if case.circular(use)]
    if circular:
        name = head.collection.name
        why = f"{circular[0].atom.collection} both deletes from {name} and is made of it"
        case.flag(kind, "T7", why, gate, circular[0].node)
    elif _matches_values(case):
        why = "which value a cell has when the deletion comes depends on what was merged by then"
        case.flag(kind, "T7", why, gate)
    elif case.is_excused("delete"):
        case.takes_back("deletion", head.collection.name, gate, head.id, "rows are deleted")
        case.become(FLUX, "T7", "inserts minus deletes, whatever came first")
    else:
        what = rival or "a deletion"
        why = f"{what} finds the row or comes before it"
        if case.mode is FLUX:
            why = "what deletes may be taken back, the deletion not"
        case.flag(kind, "T7", why, gate, _through(case) or _through_part(case))


def _also_inserts(case: Case) -> str:
    """The collection that deletes what it also inserts: an overwrite by hand."""
    inserting = {
        use.node
        for unit in case.system.producers[case.unit.head]
        if unit.op in INSERTS
        for use in unit.uses
    }
    for use in case.unit.positives:
        if use.node in inserting and not case.system.is_own_row(case.unit, use):
            return use.atom.collection
    return ""


def _matched(case: Case) -> tuple[str, ...]:
    """The columns of the deleted row that what deletes it names."""
    named = {
        argument
        for use in case.unit.positives
        if not case.system.is_own_row(case.unit, use)
        for argument in use.atom.args
    }
    return tuple(
        column.name
        for column, argument in zip(case.head.columns, case.unit.rule.args, strict=True)
        if argument in named
    )


def _matches_values(case: Case) -> bool:
    """A deletion that names a cell's value otherwise than by the row's own."""
    own = [use for use in case.unit.positives if case.system.is_own_row(case.unit, use)]
    if not case.head.lattices:
        return False
    return not own or any(cell.kept is Kept.PLAIN for use in own for cell in case.cells_of(use))


def t8_overwrite(case: Case) -> None:
    """T8, T12: `<+-` with asynchronous input: the last by arrival wins.  Nondet.

    Not if every rival for a key is the same row (R4), nor if the incumbent
    competes in a choice that is a lattice's merge (R8).
    """
    if case.unit.op != "<+-":
        return
    if case.head.id not in case.system.asynchronous:
        case.become(DET, "T8", "overwrites what nothing asynchronous feeds")
        return
    if case.is_excused("choice"):
        case.findings.clear()
        case.become(FLUX, "R8", "the greatest of all candidates stays: Flux")
        return
    if case.mode in CERTAIN and case.is_excused("overwrite"):
        case.become(GROW, "R4", "every row for a key is the same")
        return
    why = f"of two rows for one key of {case.head.collection.name}, that which comes last stays"
    if any(finding.kind is PointKind.CHOICE for finding in case.findings):
        name = case.unit.aggregates[0][1].name
        why += f"; {name}() settles only what shares a tick"
        case.findings.clear()
    case.flag(PointKind.OVERWRITE, "T8", why, case.keys(), _through(case) or _through_part(case))


def t11_key_race(case: Case) -> None:
    """T11: asynchronous rows into a collection with `Key` and plain values: the first
    come wins and the second is a conflict, unless key -> value is proven at the
    source (R4).
    """
    head = case.head
    if case.unit.op not in INSERTS or not head.plain_values or case.is_excused("key"):
        return
    if case.mode is NONDET and not case.system.is_async(case.unit):
        return
    if head.id not in case.system.asynchronous or case.is_monitor:
        return
    if case.mode is CONST and case.unit.op == "<=" and len(case.system.producers[head.id]) == 1:
        return
    values = ", ".join(head.columns[i].name for i in head.plain_values)
    why = f"rows of one key may differ in {values}: the first to come wins, the other is a conflict"
    case.flag(PointKind.KEY_RACE, "T11", why, case.keys(), _through(case) or _through_part(case))


def t14_ordered(case: Case) -> None:
    """T14: over a decided log that is applied one slot per tick, over Const, and over state
    made of these alone, every operation is a function of the log: Seq.

    Source: state-machine replication (Schneider 1990); ANALYSIS 4.6.
    """
    lineage = case.known.lineage
    if not lineage.logs:
        return
    if case.mode in (CONST, GROW, EVENT) and not lineage.turns_on_a_log(case.unit, case.modes):
        return
    modes = lineage.over_a_log(case.unit, case.modes)
    if modes:
        case.findings.clear()
        case.origins.clear()
        case.become(EVENT if case.is_send else SEQ, "T14", modes)
