"""The fixpoint: modes of all collections, from the least upwards.

Components of the predicate graph are settled in topological order, each by
iteration, since recursion makes a collection's mode depend on itself.  Modes
only rise and the transfer rules are monotone, so the result is the least
fixpoint and each rule is evaluated a bounded number of times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bloomish.analysis.graph import System, Unit
from bloomish.analysis.modes import CONST, DET, EVENT, GROW, NONDET, Mode, worst
from bloomish.analysis.points import Finding, Origin, Step
from bloomish.analysis.rules import REFINEMENTS, TRANSFER
from bloomish.analysis.rules.case import Case, Known


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the inference says of one rule."""

    unit: Unit
    mode: Mode
    findings: tuple[Finding, ...]
    origins: tuple[Origin, ...]
    steps: tuple[Step, ...]
    settled: bool = False
    """Whether it asks for what is complete alone, or for what more rows only add to (R14)."""
    trusted: bool = False
    """Whether it is part of a module that seals."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Modes of all collections and the conclusions that led to them."""

    system: System
    known: Known
    modes: dict[str, Mode]
    conclusions: tuple[Conclusion, ...]


def infer(system: System, verbose: bool = False) -> Inference:
    """Modes for every collection of a system."""
    known = Known(system)
    modes = {id: base(known, id) for id in system.nodes}
    first: dict[int, Case] = {}
    logs = known.lineage.logs
    place = {id: number for number, id in enumerate(system.nodes)}
    for component in system.components:
        # Not as a set has it: what a rule is found to do depends on what came before it.
        ids = sorted(component, key=place.__getitem__)
        units = [u for id in ids for u in system.producers[id] if not _trusted(u, logs)]
        again = bool(units)
        while again:
            again = False
            for unit in units:
                case = evaluate(known, unit, modes)
                if case.as_cell is not None:
                    known.cell_modes[unit.head] = case.as_cell
                else:
                    known.cell_modes.pop(unit.head, None)
                if case.findings:
                    first.setdefault(unit.id, case)
                risen = worst((modes[unit.head], case.mode))
                if risen is not modes[unit.head]:
                    modes[unit.head] = risen
                    again = len(component) > 1 or _reads_itself(system, units)
    conclusions = []
    for unit in system.units:
        case = evaluate(known, unit, modes, verbose)
        if case.mode is NONDET and not case.findings and unit.id in first:
            # In a cycle that is Nondet by its own doing every rule reads Nondet in the
            # end; what made it so is what the rule was found to do on the way.
            case.findings, case.origins = first[unit.id].findings, first[unit.id].origins
        inside = not _trusted(unit, logs)
        conclusions.append(
            Conclusion(
                unit,
                case.mode,
                tuple(case.findings) if inside else (),
                tuple(case.origins) if inside else (),
                tuple(case.steps),
                case.settled,
                known.contracts.scope(unit) is not None,
            )
        )
    return Inference(system, known, modes, tuple(conclusions))


def _trusted(unit: Unit, logs: frozenset[str]) -> bool:
    """What fills a decided log is the protocol's own business; what deletes from it is not."""
    return unit.head in logs and unit.op not in ("<-", "<+-")


def _reads_itself(system: System, units: Iterable[Unit]) -> bool:
    return any(use.node == unit.head for unit in units for use in unit.uses)


def evaluate(known: Known, unit: Unit, modes: dict[str, Mode], verbose: bool = False) -> Case:
    """One rule under all rules of inference."""
    case = Case(known, unit, modes, verbose)
    decreed = known.contracts.mode(unit, modes)
    if decreed is not None:
        case.become(decreed, "R14", "what the module that it is part of answers for")
        return case
    for refinement in REFINEMENTS:
        refinement(case)
    for transfer in TRANSFER:
        transfer(case)
    return case


def base(known: Known, id: str) -> Mode:
    """What a collection is before any rule: by its kind and the facts given."""
    system = known.system
    node = system.nodes[id]
    if id in known.lineage.logs:
        return known.lineage.log_mode(id, node.persisted)
    if id in system.oracles:
        return CONST
    if node.kind in ("input", "channel"):
        return GROW if node.persisted else EVENT
    if node.kind == "periodic":
        return EVENT
    mode = CONST
    for facts in system.facts.get(id, ()):
        if facts.at is None and node.kind in ("table", "const"):
            continue
        if node.persisted:
            mode = worst((mode, CONST if facts.at in (None, 1) else GROW))
        else:
            mode = DET  # there at one tick only
    return mode
