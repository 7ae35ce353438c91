"""Smaller cases that still show the same thing, and a case as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bloomish import ir
from bloomish.check import check
from bloomish.errors import ProgramError
from bloomish.pretty import Writer
from bloomish.values import type_text
from tests.runtime.randomprograms import Case


def shrunk(case: Case, shows: Callable[[Case], bool], tries: int = 600) -> Case:
    """A case from which nothing can be left out, within some tries."""
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(case):
            tries -= 1
            if tries < 0:
                return case
            try:
                check(smaller.program)
            except ProgramError:
                continue
            if _shows(smaller, shows):
                case, progress = smaller, True
                break
    return case


def _shows(case: Case, shows: Callable[[Case], bool]) -> bool:
    try:
        return shows(case)
    except Exception:
        return True  # what raises instead is worth showing too


def _smaller(case: Case) -> Iterator[Case]:
    program = case.program
    for place in reversed(range(len(case.steps))):
        yield replace(case, steps=case.steps[:place] + case.steps[place + 1 :])
    for rule in program.rules:
        yield replace(
            case, program=replace(program, rules=tuple(r for r in program.rules if r != rule))
        )
    for place, facts in enumerate(program.facts):
        rest = program.facts[:place] + program.facts[place + 1 :]
        yield replace(case, program=replace(program, facts=rest))
        for row in facts.rows:
            fewer = replace(facts, rows=tuple(r for r in facts.rows if r != row))
            changed = (*program.facts[:place], fewer, *program.facts[place + 1 :])
            yield replace(case, program=replace(program, facts=changed))
    for number, rule in enumerate(program.rules):
        for place in range(len(rule.body)):
            body = rule.body[:place] + rule.body[place + 1 :]
            rules = (
                *program.rules[:number],
                replace(rule, body=body),
                *program.rules[number + 1 :],
            )
            yield replace(case, program=replace(program, rules=rules))
    used = {rule.head for rule in program.rules}
    used |= {a.collection for r in program.rules for a in r.body if isinstance(a, ir.Atom)}
    used |= {facts.collection for facts in program.facts}
    used |= {name for step in case.steps for name, _ in step.rows} | {"peers"}
    kept = tuple(c for c in program.collections if c.name in used)
    if kept != program.collections:
        yield replace(case, program=replace(program, collections=kept))
    for place, step in enumerate(case.steps):
        for at, (name, rows) in enumerate(step.rows):
            for row in rows:
                fewer_rows = tuple(r for r in rows if r != row)
                changed_rows = (
                    step.rows[:at]
                    + (((name, fewer_rows),) if fewer_rows else ())
                    + step.rows[at + 1 :]
                )
                steps = (
                    *case.steps[:place],
                    replace(step, rows=changed_rows),
                    *case.steps[place + 1 :],
                )
                yield replace(case, steps=steps)


def text(case: Case) -> str:
    """A case to read: declarations, rules, facts, script."""
    lines = []
    for c in case.program.collections:
        columns = ", ".join(
            f"{column.name}={'Key ' * column.key}{type_text(column.type)}" for column in c.columns
        )
        lines.append(f"{c.name} = {c.kind}({columns}{', durable' * c.durable})")
    for facts in case.program.facts:
        lines.append(f"{facts.collection} <= {list(facts.rows)!r}")
    for rule in case.program.rules:
        lines.append(f"{rule.name}: {Writer().rule(rule)}")
    for number, step in enumerate(case.steps, 1):
        lines.append(f"tick {number}: now={step.now} resend={step.resend} {step.rows!r}")
    lines.append(f"seed {case.seed}")
    lines.append(repr(case.program.rules))
    return "\n".join(lines)
