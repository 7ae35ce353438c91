"""The analyzer: how long a check takes by the number of rules, and how often it cries wolf.

Speed is that of `check` on a program that is in memory, after import: modules
of ten rules each (messages stored, recursion, a count, a negation, a join, a
reply), every one reading what two earlier ones derive.

False alarms are counted on small generated programs: those of which no explored
schedule changes any outcome, yet which the analyzer flags.  The share must fall
or stand; `tests/analysis` holds it to what it is today.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from time import perf_counter

from benchmarks.row import Row, at_most
from bloomish import ir

INT, ADDRESS = ir.Plain("int"), ir.Plain("Address")
MODULE = 10


def modules(rules: int, seed: int = 0) -> ir.Program:
    """A program of about so many rules."""
    rng = random.Random(seed)
    collections: list[ir.Collection] = []
    made: list[ir.Rule] = []
    x, y, z, n = (ir.Var(name) for name in "xyzn")
    to, blank = ir.Var("to"), ir.Wild()

    def declare(name: str, kind: ir.Kind, *types: ir.Type) -> str:
        columns = tuple(ir.Column(f"c{i}", type) for i, type in enumerate(types))
        wire = f"Big.{name}" if kind == "channel" else ""
        collections.append(ir.Collection(name, kind, columns, wire=wire))
        return name

    def rule(head: str, args: tuple[ir.HeadArg, ...], op: ir.Operator, *body: ir.Literal) -> None:
        made.append(ir.Rule(f"{head}_{len(made)}", head, args, op, body))

    peers = declare("peers", "roster", ADDRESS)
    for k in range(max(1, rules // MODULE)):
        message = declare(f"message{k}", "channel", ADDRESS, INT, INT)
        reply = declare(f"reply{k}", "channel", ADDRESS, INT, INT)
        link = declare(f"link{k}", "table", INT, INT)
        path = declare(f"path{k}", "table", INT, INT)
        total = declare(f"total{k}", "scratch", INT, INT)
        lonely = declare(f"lonely{k}", "scratch", INT, INT)
        shown = declare(f"shown{k}", "output", INT, INT)
        earlier = [rng.randrange(k) for _ in range(2)] if k else []
        rule(link, (x, y), "<=", ir.Atom(message, (blank, x, y)))
        rule(path, (x, y), "<=", ir.Atom(link, (x, y)))
        rule(path, (x, z), "<=", ir.Atom(path, (x, y)), ir.Atom(link, (y, z)))
        rule(total, (x, ir.Aggregate("count", y)), "<=", ir.Atom(path, (x, y)))
        rule(lonely, (x, y), "<=", ir.Atom(link, (x, y)), ir.Atom(path, (y, x), negated=True))
        rule(reply, (to, x, y), "<~", ir.Atom(path, (x, y)), ir.Atom(peers, (to,)))
        rule(link, (x, y), "<+", ir.Atom(reply, (blank, y, x)))
        rule(shown, (x, y), "<=", ir.Atom(path, (x, y)))
        for j in earlier:
            source = f"{rng.choice(('link', 'path', 'total'))}{j}"
            rule(shown if source.startswith("total") else path, (x, y), "<=",
                 ir.Atom(source, (x, y)), ir.Condition(ir.Binary(">", n, ir.Const(1))),
                 ir.Condition(ir.Binary("==", n, x)))  # fmt: skip
    return ir.Program("Big", tuple(collections), tuple(made))


def seconds(rules: int, repeat: int) -> tuple[float, int]:
    """The best of some checks of a program that was not seen before, and its rules."""
    from bloomish.analysis import check

    best, count = math.inf, 0
    for attempt in range(repeat):
        program = modules(rules, attempt)
        count = len(program.rules)
        start = perf_counter()
        check(program)
        best = min(best, perf_counter() - start)
    return best, count


def run(quick: bool) -> Iterator[Row]:
    """The group's rows."""
    seconds(20, 1)  # import what a check imports
    for rules, limit in ((20, 50), (1_000, 2_000)):
        time, count = seconds(rules, 3)
        yield at_most(f"check, {count} rules", "ms", time * 1e3, limit)
    small, few = seconds(1_000 if quick else 2_500, 2)
    large, many = seconds(2_500 if quick else 10_000, 1)
    growth = (large / small) / (many * math.log(many) / (few * math.log(few)))
    yield Row(
        f"check, {many} rules",
        "s",
        large,
        target=f"n log n from {few}",
        met=growth <= 1.5,
        note=f"{growth:.2f} of n log n",
    )
    from tests.analysis.alarms import SAMPLE, false_alarms

    found = false_alarms(SAMPLE)
    yield at_most(
        "false alarms",
        "%",
        100 * found.share,
        100 * found.ceiling,
        note=f"{found.flagged} of {found.confluent} programs that no schedule tried tells apart",
    )
