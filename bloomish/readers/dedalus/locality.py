"""A lint: rules of the protocol itself that read rows of other nodes.

Dedalus does not enforce locality, and specifications (what feeds `pre` and
`post` alone) use that freely.  On a real cluster a body reads its own node.
"""

from __future__ import annotations

from bloomish import ir
from bloomish.readers.dedalus.sources import Warn


def locality_warnings(program: ir.Program) -> list[Warn]:
    """One warning per protocol rule whose body joins across nodes."""
    protocol = _protocol(program)
    warnings = []
    for rule in program.rules:
        if rule.head in protocol and not rule.origin and not _is_local(rule):
            message = (
                f"this rule for {rule.head.removesuffix('@async')} reads rows of other nodes; "
                "a real node sees its own only"
            )
            warnings.append(Warn(rule.span, message))
    return warnings


def _protocol(program: ir.Program) -> set[str]:
    """Collections that are sent, or that something sent depends on."""
    wanted = {rule.head for rule in program.rules if rule.op == "<~"}
    grown = True
    while grown:
        read = {
            part.collection
            for rule in program.rules
            if rule.head in wanted
            for part in rule.body
            if isinstance(part, ir.Atom)
        }
        grown = not read <= wanted
        wanted |= read
    return wanted


def _is_local(rule: ir.Rule) -> bool:
    locations = [
        part.args[0]
        for part in rule.body
        if isinstance(part, ir.Atom) and part.args and not part.collection.endswith("@all")
    ]
    return all(location == locations[0] for location in locations)
