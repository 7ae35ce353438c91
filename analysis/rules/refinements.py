"""Refinements that remove false alarms: R1 to R13 of ANALYSIS 4.8, and R14, which trusts seals.

Each excuses something before the transfer rules run; R2 comes after the body.
A refinement looks at modes, which only ever rise in the fixpoint: an excuse
given early is withdrawn when its ground is gone.
"""

from __future__ import annotations

from bloomish import ir
from bloomish.analysis.dependencies import Level
from bloomish.analysis.graph import Unit, Use
from bloomish.analysis.ground import Leaf, Walk
from bloomish.analysis.lattice_types import aggregate_rises
from bloomish.analysis.modes import CONST, DET, EVENT, FLUX, GROW, LASTING, NONDET, Mode
from bloomish.analysis.polarity import Kept
from bloomish.analysis.rules.case import Case


def r1_constant(case: Case) -> None:
    """R1: notin against what is Const (or sealed): nothing can come that it missed."""
    for use in case.unit.negatives:
        if case.modes[use.node] is CONST:
            case.excuse(("negation", use.index), "R1", f"{use.atom.collection} is constant")


def r2_local(case: Case) -> None:
    """R2: where nothing asynchronous feeds a rule, its rows are a function of the node's
    own ticks, whatever the operators.  It runs after the body's transfer rules.
    """
    if not case.local:
        return
    case.findings.clear()
    case.origins.clear()
    if case.mode in LASTING or case.mode is EVENT:
        if not _has_non_monotone_part(case):
            return
    case.become(DET, "R2", "nothing asynchronous feeds this rule")


def _has_non_monotone_part(case: Case) -> bool:
    modes = case.modes
    if any(modes[use.node] is not CONST for use in case.unit.negatives):
        return True
    moving = [use for use in case.unit.positives if modes[use.node] is not CONST]
    if any(case.is_revealed(use) for use in moving):
        return True
    if any(cell.kept is Kept.PLAIN for use in moving for cell in case.cells_of(use)):
        return True
    if not case.unit.aggregates or not moving:
        return False
    assert case.typing is not None
    columns = case.head.columns
    return not all(
        aggregate_rises(a, columns[i].type, case.typing) for i, a in case.unit.aggregates
    )


def r3_tombstone(case: Case) -> None:
    """R3: what deletes stays for good, so p ends as inserts minus tombstones; or nothing
    is ever inserted but the program's facts, so no insert can be overtaken.
    """
    if case.unit.op != "<-":
        return
    others = [use for use in case.unit.positives if not case.system.is_own_row(case.unit, use)]
    if case.unit.negatives:
        return
    modes = [case.modes[use.node] for use in others]
    if all(mode in LASTING for mode in modes):
        case.excuse("delete", "R3", "what deletes stays for good")
    elif modes.count(EVENT) == 1 and all(m is CONST or m is EVENT for m in modes):
        inserts = [u for u in case.system.producers[case.unit.head] if u.op != "<-"]
        if not inserts:
            case.excuse("delete", "R3", "nothing is inserted but the program's facts")


def r4_once_per_key(case: Case) -> None:
    """R4: key -> value is proven, so rivals for a key are one row, and a guard
    `notin has(key)` only keeps out what is there already.
    """
    head, unit = case.head, case.unit
    if unit.op == "<-":
        return
    reason = "rows of one key are one row"
    for use in unit.negatives:
        if _is_own_key(case, use) and _is_determined(case, _guarded_columns(case, use), True):
            case.excuse(("negation", use.index), "R4", reason)
    if not head.plain_values or not _is_determined(case, frozenset(head.keys), False):
        return
    rivals = [u for u in case.system.producers[head.id] if u.op != "<-" and u is not unit]
    if all(_disjoint(unit, rival, head.keys) for rival in rivals) and not _facts_at(case):
        case.excuse("key", "R4", reason)
        case.excuse("overwrite", "R4", reason)


def _is_determined(case: Case, columns: frozenset[int], for_good: bool) -> bool:
    """Whether these columns of the head determine all its plain ones, in all rows that the
    rule derives (`for_good`, or where they are kept or sent) or in those of one tick."""
    level = Level.TICK
    if case.is_send:
        level = Level.RUN
    elif for_good or case.head.persisted or case.unit.op == "<+-":
        level = Level.NODE
    found = case.known.dependencies.head_determined(case.unit, columns, level)
    plain = {i for i in range(len(case.head.columns)) if i not in case.head.lattices}
    return bool(columns) and plain <= found


def _facts_at(case: Case) -> bool:
    return case.head.id in case.system.facts and case.head.kind != "const"


def _guarded_columns(case: Case, guard: Use) -> frozenset[int]:
    named = {argument for argument in guard.atom.args if not isinstance(argument, ir.Wild)}
    return frozenset(i for i, argument in enumerate(case.unit.rule.args) if argument in named)


def _is_own_key(case: Case, use: Use) -> bool:
    """`notin` of columns of the head itself, directly or through a projection.

    The head must keep its rows: only then is what the guard keeps out there already.
    """
    system, head = case.system, case.unit.head
    inserts_only = all(unit.op in ("<=", "<+") for unit in system.producers[head])
    if not case.head.persisted or not inserts_only:
        return False
    traced = case.known.lineage.trace(use.node, head)
    if use.node != head and not all(
        unit.op == "<=" and len(unit.body) == 1 and [u.node for u in unit.positives] == [head]
        for unit in system.producers[use.node]
    ):
        return False
    arguments = case.unit.rule.args
    return traced is not None and all(
        isinstance(argument, ir.Wild) or any(arguments[column] == argument for column in traced[i])
        for i, argument in enumerate(use.atom.args)
    )


def _disjoint(one: Unit, other: Unit, keys: tuple[int, ...]) -> bool:
    """Two rules that never derive rows of one key: a constant tells them apart, or an
    atom that one has and the other negates."""
    for i in keys:
        a, b = one.rule.args[i], other.rule.args[i]
        if isinstance(a, ir.Const) and isinstance(b, ir.Const) and a != b:
            return True
    key = {one.rule.args[i] for i in keys}
    if tuple(one.rule.args[i] for i in keys) != tuple(other.rule.args[i] for i in keys):
        return False
    for a_rule, b_rule in ((one, other), (other, one)):
        denied = [(use.node, use.atom.args) for use in b_rule.negatives]
        for use in a_rule.positives:
            for node, args in denied:
                covered = all(
                    isinstance(d, ir.Wild) or (d == g and d in key)
                    for d, g in zip(args, use.atom.args, strict=True)
                ) if node == use.node else False  # fmt: skip
                if covered:
                    return True
    return False


def r5_retry(case: Case) -> None:
    """R5: retry suppression.  `h <~ B & notin(ack(x))` where ack(x) comes only of a
    delivered h(x) and x determines the whole row: the set of messages is unchanged.
    """
    if not case.is_send:
        return
    for use in case.unit.negatives:
        traced = case.known.lineage.trace(use.node, case.unit.head)
        if traced is None:
            continue
        arguments = case.unit.rule.args
        carried = all(
            isinstance(argument, ir.Wild)
            or any(arguments[column] == argument for column in traced[i])
            for i, argument in enumerate(use.atom.args)
        )
        named = {arg.name for arg in use.atom.args if isinstance(arg, ir.Var)}
        known = case.known.dependencies.closure(case.unit, named, Level.NODE)
        whole = all(
            isinstance(argument, (ir.Const, ir.Here))
            or (isinstance(argument, ir.Var) and argument.name in known)
            for argument in arguments
        )
        if carried and whole:
            reason = f"{use.atom.collection} says that this very row has arrived"
            case.excuse(("negation", use.index), "R5", reason)


def r6_threshold(case: Case) -> None:
    """R6: a threshold test on a persisted cell holds for good once it holds."""
    if case.is_send:
        return
    for cell in case.cells:
        if cell.kept is not Kept.PLAIN and not cell.even:
            case.excuse(("cell", cell.name), "R6", f"{cell.name} is used as it ascends")


def r7_for_all(case: Case) -> None:
    """R7: `notin(missing)` where missing is "some x of a constant domain without a row
    that grows": for all x, Grow(x), which is monotone.  Within one tick; what guards
    the domain must be Const or stand in this rule, too.
    """
    for use in case.unit.negatives:
        if ("negation", use.index) in case.excuses:
            continue
        units = case.system.producers[use.node]
        node = case.system.nodes[use.node]
        if not units or node.persisted or use.node in case.system.facts:
            continue
        if node.kind != "scratch" or use.node not in case.system.asynchronous:
            continue
        if all(_is_for_all(case, use, unit) for unit in units):
            inner = [case.modes[u.node] for unit in units for u in unit.negatives]
            reason = f"nothing of a constant domain is missing: {use.atom.collection}"
            case.excuse(("negation", use.index), "R7", reason)
            case.implied.extend(inner)


def _is_for_all(case: Case, use: Use, missing: Unit) -> bool:
    modes = case.modes
    if missing.op != "<=" or missing.aggregates or case.cells:
        return False
    if not all(modes[inner.node] in LASTING for inner in missing.negatives):
        return False
    if any(isinstance(part, ir.Each) for part in missing.body):
        return False
    typing = case.known.typing(missing, modes)
    if typing is not None and (typing.where or typing.reveals):
        return False
    names: dict[ir.HeadArg, ir.Expr] = {}
    for formal, actual in zip(missing.rule.args, use.atom.args, strict=True):
        if not isinstance(formal, ir.Var) or formal in names:
            return False
        names[formal] = actual
    here = {(u.node, u.atom.args) for u in case.unit.positives}
    for guard in missing.positives:
        if modes[guard.node] is CONST:
            continue
        args = tuple(names.get(argument, argument) for argument in guard.atom.args)
        # Every column of the guard must be fixed by the negated atom: else the guard
        # asks for another row than this rule's own.
        fixed = all(
            isinstance(argument, ir.Const)
            or (argument in names and not isinstance(names[argument], ir.Wild))
            for argument in guard.atom.args
        )
        if modes[guard.node] is not GROW or not fixed or (guard.node, args) not in here:
            return False
    return True


def r8_incumbent(case: Case) -> None:
    """R8: the greatest by a total order, the incumbent included, is a lattice's merge.

    `reg(k, max_(t), argmax(v, by=t)) <+- cand(k, t, v)` where one rule of cand copies
    reg, the others bring new candidates: reg holds the greatest of all so far.
    """
    unit = case.unit
    if unit.op != "<+-" or len(unit.body) != 1 or not unit.aggregates:
        return
    (use,) = unit.positives or (None,)
    if use is None or case.system.nodes[use.node].persisted:
        return
    if not _keeps_the_greatest(case, use):
        return
    copies: list[Unit] = []
    news: list[Unit] = []
    for producer in case.system.producers[use.node]:
        incumbent = (
            producer.op == "<="
            and len(producer.body) == 1
            and [u.node for u in producer.positives] == [unit.head]
        )
        (copies if incumbent else news).append(producer)
    if len(copies) != 1 or not _copies_whole(case, copies[0], use):
        return
    others = [u for u in case.system.producers[unit.head] if u is not unit]
    if others or any(use.node == u.head for p in news for u in [p] if u.op != "<="):
        return
    inputs = [case.modes[u.node] for producer in news for u in producer.uses]
    plain = all(not p.negatives and not p.aggregates for p in news)
    if plain and inputs.count(EVENT) <= len(news) and all(m in (CONST, EVENT) for m in inputs):
        case.excuse("choice", "R8", "the incumbent competes with what arrives")
        case.effective[use.index] = EVENT


def _keeps_the_greatest(case: Case, use: Use) -> bool:
    """Every value column takes max (min) of the stamp, or the value of the row that has it."""
    by: set[ir.Expr] = set()
    names: set[str] = set()
    for _, aggregate in case.unit.aggregates:
        ranked = aggregate.value if aggregate.name in ("max", "min") else aggregate.by
        if aggregate.name not in ("max", "min", "argmax", "argmin") or ranked is None:
            return False
        by.add(ranked)
        names.add(aggregate.name[-3:])
    stamped = any(a.name in ("max", "min") for _, a in case.unit.aggregates)
    group = {i for i, a in enumerate(case.unit.rule.args) if not isinstance(a, ir.Aggregate)}
    return len(by) == 1 and len(names) == 1 and stamped and group == set(case.head.keys)


def _copies_whole(case: Case, copy: Unit, use: Use) -> bool:
    """The incumbent's columns come back in the very places where they compete."""
    (own,) = copy.positives
    if copy.rule.args != own.atom.args or len(set(own.atom.args)) != len(own.atom.args):
        return False
    places = {argument: i for i, argument in enumerate(use.atom.args)}
    for i, argument in enumerate(case.unit.rule.args):
        value = argument.value if isinstance(argument, ir.Aggregate) else argument
        if places.get(value) != i:  # type: ignore[arg-type]  # None is no key, and differs
            return False
    return True


def r9_cell_export(case: Case) -> None:
    """R9: a cell that is sent to where it is merged (T9) is no reading of its value."""
    if not case.is_send:
        return
    for cell in case.cells:
        if cell.kept is not Kept.PLAIN and not cell.even:
            case.excuse(("cell", cell.name), "R9", f"{cell.name} is merged where it arrives")


def r10_even(case: Case) -> None:
    """R10: an antitone use of something antitone is monotone: polarities multiply."""
    for cell in case.cells:
        if cell.kept is not Kept.PLAIN and cell.even:
            case.excuse(("cell", cell.name), "R10", f"{cell.name} is turned round twice")


def r11_seal(case: Case) -> None:
    """R11: a count manifest seals a partition: once as many rows are there as the one
    producer of the partition says it has, nothing more can come.
    """
    if case.local:
        return
    seals = case.known.seals
    for use in case.unit.negatives:
        if ("negation", use.index) not in case.excuses:
            seal = seals.closes(case.unit, use, case.modes)
            if seal:
                case.excuse(("negation", use.index), "R11", seal)
    for use in case.unit.positives:
        if case.modes[use.node] is FLUX:
            seal = seals.reached(case.unit, use, case.modes)
            if seal:
                case.note("R11", seal)
                case.effective[use.index] = GROW
        elif case.unit.aggregates and use.node in case.system.asynchronous:
            seal = seals.closes(case.unit, use, case.modes)
            if seal:
                case.excuse("aggregate", "R11", seal)
                case.excuse("choice", "R11", seal)


def r12_same_message(case: Case) -> None:
    """R12: two events of one message, joined on what identifies it, share every tick.

    They do if the columns that both compare cover all that one of the two
    looks at in the message, or determine the message.
    """
    events = [
        use
        for use in case.unit.positives
        if case.modes[use.node] is EVENT and use.node in case.system.asynchronous
    ]
    if not events:
        return
    kept: list[Use] = []
    for use in events:
        if any(_one_message(case, use, other) for other in kept):
            reason = f"{use.atom.collection} stems from the same message"
            case.excuse(("event", use.index), "R12", reason)
            case.note("R12", reason)
        else:
            kept.append(use)
    if len(kept) == 1:
        for use in case.unit.negatives:
            if case.modes[use.node] is EVENT and _covers(case, kept[0], use):
                reason = f"{use.atom.collection} stems from the same message"
                case.excuse(("negation", use.index), "R12", reason)


def _one_message(case: Case, one: Use, other: Use) -> bool:
    return _covers(case, one, other) or _covers(case, other, one)


def _covers(case: Case, one: Use, other: Use) -> bool:
    """Whether what both compare identifies all that `other` looks at in the message."""
    lineage = case.known.lineage
    a, b = lineage.stem(one.node), lineage.stem(other.node)
    if a is None or b is None or a.source != b.source:
        return False
    shared = frozenset(
        a.columns[i]
        for i, x in enumerate(one.atom.args)
        for j, y in enumerate(other.atom.args)
        if isinstance(x, ir.Var) and x == y and i in a.columns and a.columns[i] == b.columns.get(j)
    )
    known = case.known.dependencies.determined(a.source, shared, Level.RUN)
    needed = b.used | lineage.looked_at(other, b)
    unknown = any(
        not isinstance(argument, ir.Wild) and j not in b.columns
        for j, argument in enumerate(other.atom.args)
    )
    if unknown:
        needed |= frozenset(range(len(case.system.nodes[b.source].columns)))
    return needed <= known


def r13_assumed(case: Case) -> None:
    """R13: what the user vouches for, to be validated by exploration: a collection that is
    complete per key whenever a rule asks with that key bound.
    """
    program = case.system.program(case.unit.role)
    for assumption in program.assumptions:
        if assumption.kind != "sealed":
            continue
        node = case.system.id(case.unit.role, assumption.collection)
        for use in case.unit.negatives:
            if use.node == node and set(assumption.key) <= set(case.gate_of(use)):
                case.excuse(("negation", use.index), "R13", _vouched(assumption))
        for use in case.unit.positives:
            if use.node == node and case.unit.aggregates and _grouped(case, use, assumption.key):
                case.excuse("aggregate", "R13", _vouched(assumption))
                case.excuse("choice", "R13", _vouched(assumption))


def r14_contract(case: Case) -> None:
    """R14: a rule that waits for `complete(k)` of a module that declares `sealed={rows:
    complete}` asks for what is settled, as far as that rests on rows of `k` alone: absence
    and totals are then final, like those of a constant.  Source: ANALYSIS 4.6, `q_sealed`.
    """
    contracts, unit = case.known.contracts, case.unit
    guards = [use for use in unit.positives if use.node in contracts.by_complete]
    if not guards or contracts.scope(unit) is not None:
        return
    settled = {use.index for use in guards}
    asked = True
    for use in unit.uses:
        if use in guards or (case.modes[use.node] is CONST):
            continue
        level = _settled(case, guards, use)
        if level is CONST and use.atom.negated:
            case.excuse(("negation", use.index), "R14", f"all of {use.atom.collection} is there")
        elif level is not None and not use.atom.negated:
            case.effective[use.index] = level
            if level is CONST:
                case.note("R14", f"all of {use.atom.collection} is there")
        asked = asked and (level is not None or case.modes[use.node] in LASTING)
        if level is CONST:
            settled.add(use.index)
    case.settled = asked
    if all(use.index in settled or case.modes[use.node] is CONST for use in unit.uses):
        case.excuse("settled", "R14", "it asks for what is complete alone")
    if _answers_once(case, frozenset(settled)):
        case.excuse("key", "R14", "what is complete has one answer per key")


def _settled(case: Case, guards: list[Use], use: Use) -> Mode | None:
    """What an atom is where the guards hold: Const if all that it rests on is complete, Grow
    if only what more rows add to is not, None if more may take back."""
    contracts, modes = case.known.contracts, case.modes

    def is_leaf(node: str) -> bool:
        kind = case.system.nodes[node].kind
        sealed = node in contracts.by_rows or node in contracts.by_complete
        return sealed or kind in ("channel", "input")

    walk = Walk(
        case.system,
        modes,
        is_leaf,
        lambda unit, other: case.known.reveals(unit, other, modes),
        case.known.lineage.clocks,
    )
    ground = walk.question(case.unit, (use,))
    if ground.obstacles or modes[use.node] is NONDET:
        return None
    level = CONST
    for leaf in ground.leaves:
        if not any(_covers_leaf(case, guard, leaf) for guard in guards):
            if leaf.strict or modes[leaf.node] not in LASTING:
                return None
            level = GROW
    return level


def _answers_once(case: Case, settled: frozenset[int]) -> bool:
    """Whether all rows that the rule ever derives have one value per key, and come by this
    rule alone."""
    keys = frozenset(case.head.keys)
    found = case.known.dependencies.head_determined(case.unit, keys, Level.NODE, settled)
    alone = len(case.system.producers[case.head.id]) == 1 and not _facts_at(case)
    return alone and bool(keys) and found >= frozenset(case.head.plain_values)


def _covers_leaf(case: Case, guard: Use, leaf: Leaf) -> bool:
    """Whether a guard says that the partition that is asked of a collection is complete."""
    contract = case.known.contracts.by_complete[guard.node]
    fixed = dict(leaf.fixed)
    if leaf.node == contract.rows:
        columns = contract.columns
    elif leaf.node == contract.complete:
        columns = tuple((at, at) for at, _ in contract.columns)
    else:
        return False
    return case.modes[leaf.node] in LASTING and all(
        fixed.get(of) == guard.atom.args[at] for at, of in columns
    )


def _vouched(assumption: ir.Assume) -> str:
    return f"{assumption.collection} is vouched for as complete per {', '.join(assumption.key)}"


def _grouped(case: Case, use: Use, key: tuple[str, ...]) -> bool:
    columns = case.system.nodes[use.node].columns
    group = {a for a in case.unit.rule.args if isinstance(a, ir.Var)}
    return all(
        argument in group
        for column, argument in zip(columns, use.atom.args, strict=True)
        if column.name in key
    )
