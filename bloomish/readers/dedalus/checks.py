"""What a program must satisfy to mean anything: times, arities, defined names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bloomish.ir import Span
from bloomish.readers.dedalus.lexer import error
from bloomish.readers.dedalus.sources import Warn
from bloomish.readers.dedalus.syntax import ASYNC, NEXT, Clause, Fact, Predicate

# The two relations that the runtime provides: who can reach whom, and who crashed.
CLOCK = "clock"
CRASH = "crash"
_PROVIDED = {CLOCK: (3, 4), CRASH: (3,)}


def predicates(statement: Fact | Clause) -> Iterator[Predicate]:
    """Head and body predicates, in order."""
    if isinstance(statement, Fact):
        yield statement.predicate
        return
    yield statement.head
    yield from (term for term in statement.body if isinstance(term, Predicate))


def check_statements(
    statements: Sequence[Fact | Clause],
) -> tuple[dict[str, int], dict[str, Span], list[Warn]]:
    """Arity and first place of every predicate; warnings; raises on a mistake."""
    arities: dict[str, int] = {}
    places: dict[str, Span] = {}
    defined: set[str] = set()
    for statement in statements:
        if isinstance(statement, Fact):
            _check_fact(statement.predicate)
            defined.add(statement.predicate.name)
        else:
            _check_clause(statement)
            defined.add(statement.head.name)
        for predicate in predicates(statement):
            _check_arity(predicate, arities, places)
    warnings = []
    for name, span in places.items():
        if name in _PROVIDED and name in defined:
            message = f"{name} is defined here, so the simulator's own {name} is not visible"
            warnings.append(Warn(span, message))
        elif name in _PROVIDED and arities[name] not in _PROVIDED[name]:
            raise _provided_arity(name, arities[name], span)
        elif name not in defined and name not in _PROVIDED:
            warnings.append(Warn(span, f"{name} has no facts and no rules: it is always empty"))
    return arities, places, warnings


def _check_fact(fact: Predicate) -> None:
    if isinstance(fact.time, int):
        return
    what = f"`@{fact.time}` is for rules" if fact.time else "a fact must carry its time"
    raise error(fact.span, f"{what}: facts hold at one moment only", f"write `{fact.name}(...)@1;`")


def _check_clause(clause: Clause) -> None:
    if isinstance(clause.head.time, int):
        raise error(
            clause.head.span,
            "a rule's head cannot carry an absolute time",
            "use `@next`, `@async` or no time",
        )
    found = [term for term in clause.body if isinstance(term, Predicate)]
    if not found:
        raise error(
            clause.span,
            "the body has no predicate, so the rule is nowhere: its location is the first "
            "column of its first predicate",
            "begin the body with a predicate",
        )
    if clause.head.time == ASYNC and not clause.head.args:
        raise error(
            clause.head.span,
            "an `@async` head needs a column, its destination",
            "give the node that receives it as the first column",
        )
    for predicate in found:
        if predicate.time in (NEXT, ASYNC):
            raise error(
                predicate.span,
                f"`@{predicate.time}` is for heads",
                "in a body, leave the time out or give an absolute one, `@1`",
            )


def _check_arity(predicate: Predicate, arities: dict[str, int], places: dict[str, Span]) -> None:
    name, arity = predicate.name, len(predicate.args)
    places.setdefault(name, predicate.span)
    if arities.setdefault(name, arity) != arity:
        first = places[name]
        raise error(
            predicate.span,
            f"{name} has {arity} column(s) here and {arities[name]} at {first.file}:{first.line}",
            "give a predicate the same number of columns everywhere",
        )


def _provided_arity(name: str, arity: int, span: Span) -> Exception:
    forms = {
        CRASH: "`crash(Observer, Node, Time)`",
        CLOCK: "`clock(From, To, Time, Arrival)`",
    }
    return error(
        span, f"{name} has {arity} column(s) here", f"the provided relation is {forms[name]}"
    )
