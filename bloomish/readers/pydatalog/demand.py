"""Functions that can only be computed for the keys that someone asks for.

`(fac[N] == F) <= (N > 0) & (F == N * fac[N-1])` has no bottom-up meaning: N comes
from the caller.  pyDatalog calls top-down; here the calls become rows of a
relation `needs_fac(N)`, as in the magic-sets rewriting (Beeri & Ramakrishnan,
1987), with the one binding pattern that functions have: keys in, value out.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloomish.readers.pydatalog.clauses import C, Clause, Fact, Sig, Tup, variables
from bloomish.readers.pydatalog.normal import Flattener, Match, Normal, Rule, Step, Unbound
from bloomish.readers.refusal import refusal


def flatten(clauses: Sequence[Clause], facts: Sequence[Fact]) -> tuple[Normal, list[Fact]]:
    """Flat rules of all clauses, and the facts that constant calls add."""
    demanded: frozenset[Sig] = frozenset()
    while True:
        flattener = Flattener(demanded)
        culprit = None
        for clause in clauses:
            try:
                _one(flattener, clause, facts)
            except Unbound as unbound:
                if not clause.sig.function or clause.agg or clause.sig in demanded:
                    mend = f"move a literal that binds {unbound.name} to the left"
                    raise refusal(unbound.span, unbound.what, mend) from unbound
                culprit = clause.sig
                break
        if culprit is None:
            break
        demanded |= {culprit}
    normal = flattener.normal
    calls, constants = _calls(normal.rules, demanded)
    normal.rules.extend(calls)
    normal.helpers.update(needs(sig) for sig in demanded)
    return normal, constants


def needs(sig: Sig) -> Sig:
    """The relation of the keys for which `sig` is wanted."""
    return Sig(f"needs_{sig.name}", sig.arity - 1)


def _one(flattener: Flattener, clause: Clause, facts: Sequence[Fact]) -> None:
    if clause.sig not in flattener.demanded:
        flattener.clause(clause)
        return
    keys = clause.args[:-1]
    if any(isinstance(key, Tup) for key in keys):
        raise refusal(clause.span, "a tuple pattern as the key of a computed function")
    first: list[Step] = [Match(needs(clause.sig), keys, False, clause.span)]
    if any(fact.sig == clause.sig for fact in facts):
        # A fact settles its key: the recursion of fac[N] = N * fac[N-1] ends at fac[0] = 1.
        first.append(Match(given(clause.sig), (*keys, None), True, clause.span))
    bound = [name for key in keys for name in variables(key)]
    flattener.clause(clause, bound, tuple(first))


def given(sig: Sig) -> Sig:
    """The facts of a relation that has rules too."""
    return Sig(f"{sig.name}_given", sig.arity, sig.function)


def _calls(rules: Sequence[Rule], demanded: frozenset[Sig]) -> tuple[list[Rule], list[Fact]]:
    calls: list[Rule] = []
    constants: list[Fact] = []
    for rule in rules:
        for place, step in enumerate(rule.steps):
            if not isinstance(step, Match) or step.sig not in demanded or step.negated:
                continue
            keys = tuple(key for key in step.args[:-1] if key is not None)
            if all(isinstance(key, C) for key in keys):
                row = tuple(key.value for key in keys if isinstance(key, C))
                constants.append(Fact(needs(step.sig), row, False, step.span))
            else:
                calls.append(Rule(needs(step.sig), keys, rule.steps[:place], step.span))
    return calls, constants
