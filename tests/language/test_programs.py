"""From class bodies to IR: names, composition, marks, spans, what must not leak."""

from __future__ import annotations

import pytest

from bloomish import (
    Address,
    Any,
    Cluster,
    Key,
    Max,
    Program,
    ProgramError,
    SetUnion,
    _,
    channel,
    compile,
    const,
    count,
    function,
    here,
    input,
    ir,
    notin,
    output,
    scratch,
    size,
    table,
    use,
    variables,
)  # fmt: skip
from bloomish.pretty import rule_text
from tests.language.examples import Client, Kvs, Nested, Node, Server, Vote

x, y, z, k, v = variables("x y z k v")


def texts(program: type[Program]) -> list[str]:
    return [rule_text(rule) for rule in program.ir.rules]


def test_the_operators() -> None:
    class Marks(Program):
        a = table(x=Key(int), y=int)
        c = channel(to=Address, x=int)
        a(x, y) <= a(x, y)
        a(x, y) < +a(y, x) & a(x, y)
        a(x, y) < -a(x, y) & (x < y) & notin(a(y, _))
        a(x, y) < +-a(y, x)
        c(here, x) < ~(a(x, _) & a(_, x))

    assert [rule.op for rule in Marks.ir.rules] == ["<=", "<+", "<-", "<+-", "<~"]
    assert [rule.name for rule in Marks.ir.rules] == ["a_1", "a_2", "a_3", "a_4", "c_1"]
    assert texts(Marks)[2] == "a(x, y) <- a(x, y) & (x < y) & notin(a(y, _))"


def test_a_formatted_mark_means_the_same() -> None:
    class Formatted(Program):
        a = table(x=int)
        b = table(x=int)
        a(x) < -b(x)

    assert texts(Formatted) == ["a(x) <- b(x)"]


def test_spans_hold_the_whole_rule() -> None:
    rule = Client.ir.rules[0]
    assert rule.span.file.endswith("examples.py")
    assert rule.span.text.startswith("Kvs.put(server, here, request, key, value) < ~want(")
    long = Node.ir.rules[-1]
    assert (long.span.column, long.body[0].span.line) == (5, long.span.line)
    assert Vote.ir.span.text == "class Vote(Program):"
    assert Vote.ir.collections[0].span.text == 'electorate = roster("voter")'
    assert Vote.ir.collections[0].doc == "who runs as a voter: fixed at start, never changes"
    assert Vote.ir.doc == "Announce a ballot once a majority of the electorate has voted for it."


def test_wire_names_are_path_class_and_name() -> None:
    wires = {c.name: c.wire for c in Node.ir.collections if c.kind == "channel"}
    assert wires["log.put"] == "log.Kvs.put"
    assert wires["vote"] == "Vote.vote"
    assert wires["second.log.put"] == "second.log.Kvs.put"
    assert {c.wire for c in Server.ir.collections if c.wire} == {"Kvs.put", "Kvs.ack"}
    assert [c.wire for c in Client.ir.collections if c.wire] == ["Kvs.put", "Kvs.ack"]


def test_embedded_rules_facts_guards_and_assumptions_take_the_path() -> None:
    program = Node.ir
    names = {rule.name for rule in program.rules}
    assert {"log.slot_1", "second.log.slot_1", "second.log.slot_2", "first.path_1"} <= names
    assert len(names) == len(program.rules)
    assert [g.scope for g in program.guards] == ["log", "log", "second.log", "second.log", ""]
    assert program.guards[2].ordered == ("second.log.slot",)
    assert program.guards[3].sealed == (("second.log.decided", "second.log.closed"),)
    vouched = {(a.kind, a.collection) for a in program.assumptions}
    assert vouched == {
        ("sealed", "vote"),
        *(
            (kind, f"{path}.{name}")
            for path in ("log", "second.log")
            for kind, name in (("fd", "slot"), ("ends", "finished"))
        ),
    }
    assert [f.collection for f in program.facts if f.at] == ["second.log.slot", "log.slot"]


def test_a_diamond_adds_its_top_once() -> None:
    class Top(Program):
        a = table(x=int)
        b = scratch(x=int)
        b(x) <= a(x)

    class Left(Top):
        Top.b(x) <= Top.a(x) & (x > 0)

    class Right(Top):
        Top.b(x) <= Top.a(x) & (x < 0)

    class Bottom(Left, Right):
        Top.b(1) <= Left.a(x)

    assert [rule.name for rule in Bottom.ir.rules] == ["b_1", "b_2", "b_3", "b_4"]
    assert [c.name for c in Bottom.ir.collections] == ["a", "b"]
    assert Top.ir.rules == Bottom.ir.rules[:1]


def test_rules_may_come_from_functions_and_loops() -> None:
    def gossip(state: Any, sent: Any) -> None:
        sent("peer", x) < ~state(x)

    class Gossip(Program):
        seen = table(x=int)
        tell = channel(to=Address, x=int)
        gossip(seen, tell)
        for number in range(3):
            seen(number) <= seen(number + 10)

    assert texts(Gossip)[0] == 'tell("peer", x) <~ seen(x)'
    assert texts(Gossip)[3] == "seen(2) <= seen(12)"


def test_a_class_body_that_fails_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError):

        class Broken(Program):
            a = table(x=int)
            a(x) <= a(x)
            assert 1 // 0

    with pytest.raises(ProgramError):

        class Worse(Program):
            a = table(x=int)
            a(x) <= a(y)

    class Next(Program):
        b = table(x=int)

    assert Next.ir.rules == ()


def test_columns_by_keyword_and_whole_collections() -> None:
    class Keyword(Program):
        kv = table(key=Key(str), value=int)
        copy = scratch(a=str, b=int)
        out = output(key=str)
        out(key=k) <= kv(key=k)
        copy <= kv
        copy(b=v, a=k) < +kv(k, value=v)

    assert texts(Keyword) == [
        "out(k) <= kv(k, _)",
        "copy(a, b) <= kv(a, b)",
        "copy(k, v) <+ kv(k, v)",
    ]


def test_facts_take_the_form_of_their_columns() -> None:
    class Facts(Program):
        names = const(name=str)
        real = table(x=float, y=Any)
        sets = table(key=Key(str), seen=SetUnion(int), top=Max(int))
        names <= ["a", "b"]
        names <= {"d", "c"}
        real <= [(1, [1, "a"])]
        sets <= [("a", {2, 1}, 3), ("a", {5}, None)]

    rows = [facts.rows for facts in Facts.ir.facts]
    assert rows[0] == (("a",), ("b",))
    assert rows[1] == (("c",), ("d",))
    assert rows[2] == ((1.0, (1, "a")),) and type(rows[2][0][0]) is float
    assert rows[3] == (("a", frozenset({1, 2}), 3), ("a", frozenset({5}), None))


def test_lattice_columns_make_the_others_the_key() -> None:
    class Implied(Program):
        tally = table(ballot=int, voters=SetUnion(str))
        total = scratch(sum=Max(int))
        total(count()) <= tally(_, _)

    assert [c.key for c in Implied.ir.collections[0].columns] == [True, False]
    assert [c.key for c in Implied.ir.collections[1].columns] == [False]


def test_functions_are_collected_and_callable() -> None:
    @function
    def double(number: int) -> int:
        """Twice."""
        return 2 * number

    class Doubled(Program):
        n = table(x=int)
        d = scratch(x=int)
        d(double(x)) <= n(x)
        d(double(3)) <= n(_)

    made = compile(Doubled)
    assert double(4) == 8
    assert made.externals.functions["double"](5) == 10
    decl = made.program.functions[0]
    assert (decl.name, decl.params, decl.result, decl.monotone) == (
        "double",
        (ir.Plain("int"),),
        ir.Plain("int"),
        False,
    )
    assert texts(Doubled)[1] == "d(double(3)) <= n(_)"


def test_two_functions_of_one_name_are_refused() -> None:
    def make(factor: int) -> Any:
        @function
        def times(number: int) -> int:
            return factor * number

        return times

    two, three = make(2), make(3)
    with pytest.raises(ProgramError, match="two functions are called `times`"):

        class Both(Program):
            n = table(x=int)
            n(two(x)) < +n(x)
            n(three(x)) < +n(x)


def test_clusters() -> None:
    cluster = Cluster(server=Server, client=2 * Client)
    made = cluster.compile()
    assert [(r.name, r.size) for r in made.deployment.roles] == [("server", 1), ("client", 2)]
    assert made.deployment.roles[0].program is Server.ir
    assert set(made.externals) == {"server", "client"}
    assert repr(cluster) == "Cluster(server=Server, client=Client * 2)"


def test_sizes_of_rosters_follow_the_path() -> None:
    class Inner(Program):
        votes = use(Vote)

    size_of = [
        rule.body[1].test.right.left  # type: ignore[union-attr]
        for rule in Inner.ir.rules
        if rule.head == "votes.elected"
    ]
    assert size_of == [ir.Size("votes.electorate")]
    with pytest.raises(ProgramError, match="neither inherits nor uses"):

        class Foreign(Program):
            out = output(n=int)
            out(size(Vote.electorate)) <= out(_)


def test_closures_and_private_names_still_work_in_class_bodies() -> None:
    local = 3

    class Closed(Program):
        """Doc."""

        n = table(x=int)
        helper = local + 1
        n(helper) < +n(local)

        def method(self) -> int:
            return 1

    assert texts(Closed) == ["n(4) <+ n(3)"]
    assert Closed.__doc__ == "Doc."
    assert Closed.__name__ == "Closed"


def test_constants_keep_their_kind() -> None:
    class Kinds(Program):
        any_ = table(x=Any)
        any_(1) < +any_(1.0) & any_(True)
        any_({1, "a"}) < +any_((1, (2,)))
        any_(here) < +any_(b"x")

    (one, two, three) = Kinds.ir.rules
    assert [type(a.args[0].value) for a in one.body] == [float, bool]  # type: ignore[union-attr]
    assert two.args[0] == ir.Const(frozenset({1, "a"}))
    assert three.args[0] == ir.Here()


def test_an_alias_declares_nothing() -> None:
    class Aliased(Kvs):
        send = Kvs.put
        want = input(x=int)
        send("a", "b", x, "k", "v") < ~want(x)

    assert texts(Aliased) == ['put("a", "b", x, "k", "v") <~ want(x)']
    assert [c.name for c in Aliased.ir.collections] == ["put", "ack", "want"]


def test_one_variable_can_be_unpacked_too() -> None:
    (alone,) = variables("alone")
    [listed] = variables("listed")
    assert (repr(alone), repr(listed)) == ("alone", "listed")


def test_bodies_and_heads_have_readable_reprs() -> None:
    seen: list[str] = []

    class Shown(Program):
        a = table(x=int, y=SetUnion(str))
        body = a(x, y) & (x < 3) & notin(a(x, _))
        seen.append(repr(body))
        seen.append(repr(a))
        seen.append(repr(-(x + 1) * 2))
        a(x, y) < +body

    assert seen == [
        "a(x, y) & (x < 3) & notin(a(x, _))",
        "a = table(x=Key(int), y=SetUnion(str))",
        "-(x + 1) * 2",
    ]


def test_nested_use_is_reached_by_its_path() -> None:
    assert Nested.log.slot.name == "log.slot"
    assert Node.second.log.slot.name == "second.log.slot"
