"""Ways out of a point of order, the cheapest first, spelled out for its rule (4.6)."""

from __future__ import annotations

from collections.abc import Iterator

from bloomish import ir
from bloomish.analysis.graph import System, Unit
from bloomish.analysis.points import Finding, Origin, PointKind
from bloomish.analysis.result import COSTS, Mend


def mends(system: System, finding: Finding, origin: Origin | None) -> tuple[Mend, ...]:
    """All mends that apply, ordered by cost."""
    unit = system.units[finding.unit]
    found = list(dict.fromkeys(_mends(system, unit, finding, origin)))
    return tuple(sorted(found, key=lambda mend: COSTS.index(mend.cost)))


def _mends(system: System, unit: Unit, finding: Finding, origin: Origin | None) -> Iterator[Mend]:
    match finding.kind:
        case PointKind.UNGUARDED_JOIN:
            shrinking = system.shrinking(unit)
            yield from _order_of(system, shrinking) if shrinking else _persist(system, unit)
        case PointKind.DELETE_RACE:
            yield from _delete(system, unit, finding)
        case PointKind.OVERWRITE:
            yield from _overwrite(system, unit, finding)
        case PointKind.KEY_RACE:
            yield from _key_race(system, unit, finding)
        case PointKind.CHOICE:
            yield from _choice(system, unit, finding)
        case PointKind.CLOCK:
            yield from _clock(system, unit, finding)
        case _:
            yield from _unsettled(system, unit, finding, origin)


def columns(names: tuple[str, ...]) -> str:
    """Gate columns as words."""
    return f"({', '.join(names)})" if names else "the whole collection"


def _per(names: tuple[str, ...]) -> str:
    return f"per ({', '.join(names)})" if names else "for the whole collection"


def _name(system: System, id: str) -> str:
    return system.nodes[id].collection.name if id in system.nodes else id


def _persist(system: System, unit: Unit) -> Iterator[Mend]:
    passing = [
        _name(system, use.node)
        for use in unit.positives
        if not system.nodes[use.node].persisted and use.node in system.asynchronous
    ]
    names = " and ".join(dict.fromkeys(passing)) or "what passes by"
    yield Mend(
        "persist",
        f"store {names} in a table and join the table instead: what comes first then waits "
        "for the other, and no coordination is needed",
    )


def _order_of(system: System, table: str) -> Iterator[Mend]:
    yield Mend(
        "consensus",
        f"put what meets {_name(system, table)} into one log with what takes rows from it",
    )


def _delete(system: System, unit: Unit, finding: Finding) -> Iterator[Mend]:
    name = _name(system, unit.head)
    gate = columns(finding.gate)
    yield Mend(
        "rewrite",
        f"never delete: keep the deletions in a table of their own, `gone{gate}`, and read "
        f"{name} & notin(gone{gate}); with a fresh id per row nothing is deleted that comes back",
    )
    yield Mend("consensus", f"put inserts and deletes of {name} into one log {_per(finding.gate)}")


def _values(system: System, unit: Unit) -> str:
    node = system.nodes[unit.head]
    plain = node.plain_values or tuple(i for i in range(len(node.columns)) if i not in node.keys)
    return ", ".join(node.columns[i].name for i in plain)


def _overwrite(system: System, unit: Unit, finding: Finding) -> Iterator[Mend]:
    name, values = _name(system, unit.head), _values(system, unit)
    yield Mend(
        "rewrite",
        f"make {values or 'the value'} of {name} a lattice and merge with `<=`: LWWRegister "
        "(the latest stamp wins), MVRegister (rivals are kept), or Max or Min of a version",
    )
    yield Mend(
        "consensus",
        f"one log {_per(finding.gate)} for all writes to {name}, one slot per tick; of a "
        "replicated table this is state-machine replication",
    )


def _key_race(system: System, unit: Unit, finding: Finding) -> Iterator[Mend]:
    name, values = _name(system, unit.head), _values(system, unit)
    yield Mend(
        "rewrite",
        f"make {values or 'the value'} of {name} a lattice, so that rivals merge: SetUnion "
        "keeps all, Min the least; or prove that a key has one value and say so with assume",
    )
    yield Mend("consensus", f"let the rivals {_per(finding.gate)} go through one log: first wins")


def _choice(system: System, unit: Unit, finding: Finding) -> Iterator[Mend]:
    source = _name(system, finding.through) if finding.through else "the rows"
    head = _name(system, unit.head)
    yield Mend(
        "persist",
        f"store {source} in a table and aggregate over the table: {head} is then eventual, and "
        "as a Max or Min column of a count, a maximum or a minimum it is monotone",
    )
    yield Mend(
        "rewrite",
        f"let the row that {head} holds compete with those that arrive, ranked by a stamp that "
        "no two rows share",
    )
    if finding.gate:
        yield Mend("seal", f"seal {source} on {columns(finding.gate)} and choose when all is there")
    yield Mend("consensus", f"one log {_per(finding.gate)}, one slot per tick")


def _clock(system: System, unit: Unit, finding: Finding) -> Iterator[Mend]:
    if finding.origin is not None and finding.origin.what == "negation":
        asked = finding.origin.subject
        yield Mend(
            "seal",
            f"conclude nothing from silence: wait for a seal of {asked} on "
            f"{columns(finding.gate)} instead of a timer",
        )
        yield Mend(
            "consensus",
            f"propose what the timer suggests to a log {_per(finding.gate)}: first wins",
        )
        yield Mend(
            "atomic commit",
            "where the decision must be unanimous: two-phase commit with each vote in Paxos",
        )
        return
    yield Mend(
        "rewrite",
        "take the time where the row enters, once, as a column of the message or input",
    )
    yield Mend("consensus", "log the value that was read, and let all read it from the log")


def _unsettled(
    system: System, unit: Unit, finding: Finding, origin: Origin | None
) -> Iterator[Mend]:
    head = _name(system, unit.head)
    node = system.nodes[unit.head]
    if finding.kind is PointKind.LATCH and node.persisted:
        yield Mend(
            "nothing",
            f"if {head} is only looked at when all is quiet, make it a scratch: it is then "
            "eventual; act on it by no rule that cannot be undone",
        )
    gate = finding.gate or (origin.gate if origin else ())
    what = origin.what if origin else ""
    asked = _name(system, origin.node) if origin else ""
    if what in ("aggregate", "reveal"):
        yield from _rewrite(system, unit, finding, origin)
    if what == "deletion":
        yield Mend("rewrite", f"read {asked} where deletions are final: keep them as rows")
    if origin is None:
        return
    ops = _recursive_by(system, origin.node)
    if "<~" in ops:
        yield Mend(
            "seal",
            f"{asked} is recursive over messages: detect its termination (a vote in two rounds, "
            "each node saying that it has nothing in flight) before asking",
        )
    elif ops - {"<="}:
        pass  # what the answer itself brings about later cannot be waited for
    elif gate:
        yield Mend(
            "seal",
            f"seal {asked} on {columns(gate)}: its producer says how many rows there are for "
            "each, and the rule waits until that many have come",
        )
    else:
        yield Mend("seal", f"seal the whole of {asked}: every producer says that it is done")
    yield Mend("consensus", f"decide {_per(gate)} by one log, if more may always come")


def _rewrite(system: System, unit: Unit, finding: Finding, origin: Origin | None) -> Iterator[Mend]:
    assert origin is not None
    at = system.units[origin.unit]
    node = system.nodes[at.head]
    if origin.what == "aggregate":
        for i, aggregate in at.aggregates:
            lattice = {"count": "Max", "sum": "Max", "max": "Max", "min": "Min"}.get(aggregate.name)
            if lattice is None or isinstance(node.columns[i].type, ir.Lattice):
                continue
            column = node.columns[i]
            test = "<=" if lattice == "Min" else ">="
            condition = " if nothing negative is summed," if aggregate.name == "sum" else ""
            yield Mend(
                "rewrite",
                f"declare {column.name}={lattice}(...) in {node.collection.name},{condition} and "
                f"test it by a threshold (`{test}`), which holds for good once it holds",
            )
        return
    columns = [c.name for c in system.nodes[unit.head].columns if not c.key]
    if "==" in origin.why or "threshold" in origin.why or "condition" in origin.why:
        yield Mend(
            "rewrite",
            f"test {origin.subject} by a threshold in the direction in which it grows "
            "(`>=` of a Max or a size, `<=` of a Min), not by equality",
        )
    else:
        yield Mend(
            "rewrite",
            f"merge the value where it goes: declare {', '.join(columns) or 'the column'} of "
            f"{_name(system, unit.head)} with the lattice of {origin.subject}",
        )


def _recursive_by(system: System, id: str) -> frozenset[str]:
    """The operators of the rules by which a collection depends on itself."""
    if id not in system.component:
        return frozenset()
    cycle = system.components[system.component[id]]
    return frozenset(
        unit.op
        for node in cycle
        for unit in system.producers[node]
        if any(use.node in cycle for use in unit.uses)
    )
