"""Transfer rules for a rule's body: T1 to T4, T10, T12, T13 of ANALYSIS 4.3."""

from __future__ import annotations

from bloomish import ir
from bloomish.analysis.graph import Use
from bloomish.analysis.lattice_types import aggregate_rises, implicit_cells
from bloomish.analysis.modes import (
    CONST,
    DET,
    EVENT,
    FLUX,
    GROW,
    LASTING,
    NONDET,
    PART,
    SEQ,
    Mode,
)
from bloomish.analysis.points import PointKind
from bloomish.analysis.polarity import Kept
from bloomish.analysis.rules.case import Case

CHOICES = ("argmax", "argmin", "choose", "index")


def t4_threshold(case: Case) -> None:
    """T4: a threshold on a persisted lattice cell in its monotone direction keeps Grow.

    Any other look at a cell reveals its value, which will be another one: Flux.
    On an ephemeral cell (Event) a merely monotone test is Nondet, since two rows
    that would pass together may arrive apart; a morphism (a threshold on a
    chain) commutes with the merge and keeps Event.  Source: Conway et al. 2012,
    section 3; the exception for morphisms follows from the definition of one.
    """
    for use in case.unit.positives:
        mode = case.effective[use.index]
        if use.atom.at is not None and mode is not CONST:
            _at_a_tick(case, use, mode)
            continue
        if implicit_cells(case.system, use.node) is not None:
            _implicit(case, use, mode)
            continue
        revealing = [
            cell for cell in case.cells_of(use) if not case.is_excused(("cell", cell.name))
        ]
        if mode is CONST:
            continue
        if revealing or case.is_revealed(use):
            why = revealing[0].blame if revealing else "its lattice column is matched for equality"
            _reveal(case, use, mode, f"{use.atom.collection}: {why}")
        elif mode is EVENT and use.node in case.system.asynchronous:
            partial = [cell for cell in case.cells_of(use) if cell.kept is Kept.MONOTONE]
            if partial:
                case.effective[use.index] = NONDET
                case.flag(
                    case.kind_at_head(),
                    "T4",
                    f"{use.atom.collection} holds what one tick brings: rows that would pass "
                    f"the test on {partial[0].name} together may arrive in different ticks",
                    case.gate_of(use),
                    use.node,
                )


def _implicit(case: Case, use: Use, mode: Mode) -> None:
    """T4 on the aggregates of a view, which ascend like cells that nobody declared."""
    if mode is FLUX and case.rises(use) and not case.circular(use):
        case.effective[use.index] = case.cell_modes.get(use.node, FLUX)
        case.note("T4", f"{use.atom.collection} is asked only how far it has risen")


def _at_a_tick(case: Case, use: Use, mode: Mode) -> None:
    """`p(x)@3` reads one tick: settled if p is local, a matter of luck if not."""
    if use.node not in case.system.asynchronous:
        case.effective[use.index] = CONST
        return
    case.effective[use.index] = NONDET
    if mode is not NONDET:
        why = f"{use.atom.collection} is read at tick {use.atom.at}, whatever has arrived by then"
        case.flag(PointKind.CLOCK, "T13", why, through=use.node)


def _reveal(case: Case, use: Use, mode: Mode, why: str) -> None:
    if case.circular(use) and mode is not NONDET:
        case.effective[use.index] = NONDET
        case.flag(case.kind_at_head(), "T4", why, case.gate_of(use), use.node)
    elif mode in (GROW, FLUX):
        case.effective[use.index] = FLUX
        keys = tuple(case.system.nodes[use.node].columns[i].name
                     for i in case.system.nodes[use.node].keys)  # fmt: skip
        case.takes_back("reveal", use.atom.collection, keys, use.node, why)
        case.note("T4", f"{why}: Flux")
    elif mode in (EVENT, PART):
        case.effective[use.index] = NONDET
        case.flag(case.kind_at_head(), "T4", why, case.gate_of(use), use.node)


def t9_cell_sent(case: Case) -> None:
    """T9: an ascending cell may be sent where the receiver merges it in the same lattice.

    Into a plain column every value on the way is a row of its own: that use
    is revealing (T4), and with `<~` an export.  Source: ANALYSIS 4.3; LVars.
    """
    if not case.is_send:
        return
    for use in case.unit.positives:
        for cell in case.cells_of(use):
            if cell.kept is not Kept.PLAIN and case.head.lattices:
                case.note("T9", f"{cell.name} is merged where it arrives")


def t13_clock(case: Case) -> None:
    """T13: what a clock says flows into data: Nondet.  What a timer merely prompts does not.

    A `periodic` of which no column is used only says when; it leaves the join
    here and returns in T1 as a repetition.  The same holds for views that are
    such a timer joined with constants.
    """
    if "now()" in case.clock_terms and not case.local:
        case.flag(PointKind.CLOCK, "T13", "now() flows into data that came by a channel or input")
    source = ""
    for use in case.unit.positives:
        origin = case.known.lineage.pulse(use.node)
        if not origin:
            continue
        reads_number = case.system.nodes[use.node].kind == "periodic" and not all(
            isinstance(argument, ir.Wild) for argument in use.atom.args
        )
        if reads_number:
            case.effective[use.index] = DET
            if not case.local:
                why = f"the number of a firing of {use.atom.collection} flows into data"
                case.flag(PointKind.CLOCK, "T13", why)
        elif source in ("", origin):
            source = origin
            case.pulsed = True
            case.effective[use.index] = CONST
        else:  # two timers may never fire together
            case.effective[use.index] = EVENT


def t1_join(case: Case) -> None:
    """T1: the positive join.

    Two things that come at moments of their own (Event x Event, Event x Grow)
    meet or miss each other: Part.  Source: Bud's GuardedAsync; ANALYSIS 4.3.
    """
    if case.mode is NONDET:
        return
    modes = _without_seconds(case) + case.implied
    mode = join(modes)
    if case.pulsed:
        mode = {CONST: EVENT, GROW: EVENT, EVENT: PART, FLUX: NONDET}.get(mode, mode)
    names = ", ".join(
        f"{use.atom.collection} {case.effective[use.index].word}" for use in case.unit.positives
    )
    if mode is NONDET and NONDET not in modes:
        unsettled = _first(case, FLUX) or _first(case, SEQ)
        moment = "a timer fires" if case.pulsed else "a message arrives"
        why = f"{unsettled} may still change when it is read because {moment}"
        case.flag(case.kind_at_head(), "T1", why, through=_first_node(case, FLUX))
        return
    case.become(mode, "T1", f"join of {names}" if names else "no positive atom")
    if FLUX in modes and _carried_by_a_cycle(case):
        why = f"{_first(case, FLUX)} may still change, and the rule carries it on from tick to tick"
        case.flag(case.kind_at_head(), "T5", why, through=_first_node(case, FLUX))


def _without_seconds(case: Case) -> list[Mode]:
    """The modes of the join; of several events of one message (R12) one counts."""
    return [
        case.effective[use.index]
        for use in case.unit.positives
        if not case.system.is_own_row(case.unit, use) and not case.is_excused(("event", use.index))
    ]


def _first(case: Case, mode: Mode) -> str:
    for use in case.unit.positives:
        if case.effective[use.index] is mode:
            return use.atom.collection
    return ""


def _first_node(case: Case, mode: Mode) -> str:
    for use in case.unit.positives:
        if case.effective[use.index] is mode:
            return use.node
    return ""


def _carried_by_a_cycle(case: Case) -> bool:
    system = case.system
    return system.component[case.unit.head] in system.remembering and any(
        system.recursive(case.unit, use) for use in case.unit.positives
    )


def join(modes: list[Mode]) -> Mode:
    """T1's table.  `DET` is left to T10."""
    found = [mode for mode in modes if mode is not CONST]
    if NONDET in found:
        return NONDET
    if SEQ in found:
        return SEQ if set(found) == {SEQ} else NONDET
    moments = found.count(EVENT) + found.count(PART)
    if FLUX in found:
        return NONDET if moments else FLUX
    if PART in found or moments > 1 or (moments and GROW in found):
        return PART
    if moments:
        return EVENT
    return GROW if GROW in found else CONST


def t10_entanglement(case: Case) -> None:
    """T10: a local clock, or local state that changes, copied into what is derived from
    asynchronous data: Nondet.  Source: Dedalus (2010), section 3.3, "entanglement".

    Local state that only grows is Grow and goes by T1.
    """
    changing = [use for use in case.unit.positives if case.effective[use.index] is DET]
    ticking = [term for term in case.clock_terms if term != "now()"]
    if case.local:
        if changing or case.clock_terms:
            case.become(DET, "T10", "a function of the node's own ticks")
        return
    if case.mode is NONDET:
        return
    if ticking:
        why = f"{ticking[0]} is taken at the tick in which a message happens to arrive"
        case.flag(PointKind.CLOCK, "T10", why)
    elif changing:
        why = f"{changing[0].atom.collection} changes with the node's own ticks, and is read " \
              "at the tick in which a message happens to arrive"  # fmt: skip
        case.flag(PointKind.CLOCK, "T10", why, through=changing[0].node)


def t2_negation(case: Case) -> None:
    """T2: `notin q`.  No effect if q is Const or nothing asynchronous is in the rule;
    Flux over what grows; Nondet where a message asks, or q comes and goes.

    In a temporal cluster that asynchrony feeds the negation is Nondet at once
    (4.2).  Source: CALM; the cluster rule: CIDR 2011, section 4.
    """
    for use in case.unit.negatives:
        if case.is_excused(("negation", use.index)):
            continue
        mode = case.modes[use.node]
        if use.atom.at is not None and mode is not CONST:
            mode = NONDET if use.node in case.system.asynchronous else CONST
        if mode is CONST or case.mode is NONDET or case.local:
            continue
        gate = case.gate_of(use)
        name = use.atom.collection
        if mode is NONDET:
            case.become(NONDET, "T2", f"notin {name}, which depends on the schedule")
            continue
        why = f"notin({name}) may hold now and not later"
        origin = case.takes_back("negation", name, gate, use.node, why)
        if case.mode in (CONST, GROW, FLUX) and mode in (GROW, FLUX) and not case.circular(use):
            case.become(FLUX, "T2", f"{why}: Flux")
            continue
        if case.circular(use):
            why = f"notin({name}) asks for what this rule itself brings about"
        elif mode in LASTING or mode is FLUX:
            moment = "a timer fires" if case.pulsed else "a message arrives"
            why = f"notin({name}) is asked when {moment}; what it looks for may come later"
        else:
            why = f"{name} comes and goes; notin({name}) asks what shares its tick"
        kind = case.kind_at_head()
        if case.circular(use) and not case.timed and _guards_own_key(case, use):
            kind = PointKind.KEY_RACE
        case.flag(kind, "T2", why, gate, use.node, origin)


def _guards_own_key(case: Case, use: Use) -> bool:
    """`lock(k, who) <+ ask(k, who) & notin(lock(k, _))`, or the like through a projection."""
    if not case.head.persisted:
        return False
    if use.node == case.unit.head:
        return True
    producers = case.system.producers[use.node]
    return bool(producers) and all(
        unit.op == "<=" and [u.node for u in unit.uses] == [case.unit.head] for unit in producers
    )


def t3_aggregate(case: Case) -> None:
    """T3: an aggregate over what grows is a lattice cell if function and lattice ascend
    together, else its value is taken back: Flux.  Over what one tick brings it
    depends on the batch: Nondet, but for max and min merged into a cell.

    Source: Conway et al. 2012; Flink's retraction mode for GROUP BY.
    """
    aggregates = [(i, a) for i, a in case.unit.aggregates if a.name not in CHOICES]
    if not aggregates or case.local or case.mode in (NONDET, CONST, DET, SEQ):
        return
    assert case.typing is not None
    columns = case.head.columns
    rising = all(aggregate_rises(a, columns[i].type, case.typing) for i, a in aggregates)
    merging = rising and all(a.name in ("max", "min") for _, a in aggregates)
    number, aggregate = aggregates[0]
    name = f"{aggregate.name}()"
    if case.is_excused("settled") or case.is_excused("aggregate"):
        return
    if not rising and any(case.circular(use) for use in case.unit.positives):
        why = f"{name} counts on what this rule itself brings about"
        origin = case.takes_back("aggregate", name, case.group(), _source(case), why)
        case.flag(case.kind_at_head(), "T3", why, case.group(), _source(case), origin)
    elif rising and case.mode is GROW:
        case.note("T3", f"{name} ascends in {_type_name(columns[number].type)}")
    elif merging and case.mode is EVENT:
        case.note("T3", f"{name} of each batch, merged into a cell")
    elif merging and case.mode is PART and case.head.persisted:
        case.cell_of_parts = True
        case.note("T3", f"{name} of a part, below that of the whole")
    elif case.mode in (GROW, FLUX):
        why = f"{name} of what still grows is taken back with every row that arrives"
        if case.mode is GROW and not any(case.circular(use) for use in case.unit.positives):
            case.as_cell = GROW
        case.takes_back("aggregate", name, case.group(), _source(case), why)
        case.become(FLUX, "T3", f"{why}: Flux")
    else:
        why = f"{name} ranges over what happens to share a tick"
        origin = case.takes_back("aggregate", name, case.group(), _source(case), why)
        case.flag(PointKind.CHOICE, "T3", why, case.group(), _source(case), origin)


def t12_choice(case: Case) -> None:
    """T12: argmax, argmin, choose and index over a batch depend on the batch: Nondet,
    unless the incumbent competes (R8).  Over what grows they are Flux like any
    aggregate.  Source: ANALYSIS 4.3.
    """
    choices = [a for _, a in case.unit.aggregates if a.name in CHOICES]
    if not choices or case.local or case.mode in (NONDET, CONST, DET, SEQ):
        return
    name = f"{choices[0].name}()"
    if case.is_excused("settled"):
        return
    if case.is_excused("choice"):
        case.become(FLUX, "R8", f"{name} with the incumbent among the candidates: Flux")
        return
    circular = any(case.circular(use) for use in case.unit.positives)
    if case.mode in (GROW, FLUX) and not circular:
        why = f"{name} of what still grows may fall on another row later"
        case.takes_back("aggregate", name, case.group(), _source(case), why)
        case.become(FLUX, "T12", f"{why}: Flux")
        return
    why = f"{name} chooses among what happens to share a tick"
    origin = case.takes_back("aggregate", name, case.group(), _source(case), why)
    case.flag(PointKind.CHOICE, "T12", why, case.group(), _source(case), origin)


def _source(case: Case) -> str:
    """The body collection that an aggregate's rows come from: the first that moves."""
    for use in case.unit.positives:
        if case.effective[use.index] is not CONST:
            return use.node
    return case.unit.positives[0].node if case.unit.positives else ""


def _type_name(type: ir.Type) -> str:
    return type.name if isinstance(type, ir.Lattice) else str(type)
