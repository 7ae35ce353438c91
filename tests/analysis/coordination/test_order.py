"""The insertion of a log: where the graph is cut, how senders change, what the result is worth."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    SetUnion,
    _,
    argmax,
    channel,
    here,
    input,
    invariant,
    ir,
    max_,
    notin,
    now,
    output,
    periodic,
    roster,
    scratch,
    table,
    variables,
)
from bloomish.analysis import check
from bloomish.analysis.coordinate import Coordinated, coordinate
from bloomish.analysis.coordination.cut import placement
from bloomish.analysis.graph import System
from bloomish.analysis.inference import infer
from bloomish.analysis.report.plan import render as rendered
from bloomish.analysis.report.text import render
from bloomish.analysis.verbs.coordinate import check_coordinated
from bloomish.analysis.verbs.coordinate import coordinate as coordinate_verb
from bloomish.errors import BloomishError
from bloomish.ir_json import to_json
from bloomish.runtime.sim.explore.outcomes import by_decided_log, outcomes
from bloomish.runtime.sim.explore.space import Limits, explore
from bloomish.runtime.sim.stage import stage_of, stage_of_target
from bloomish.runtime.sim.workload import Insert
from bloomish.show import printed
from bloomish.targets import Target, load
from tests.programs.micro import racing, shapes

PROGRAMS = Path(__file__).parents[3] / "programs"
client, key, node, number, replica, value, values = variables(
    "client key node number replica value values"
)


class Register(Program):
    """What is said."""

    write = channel(to=Address, client=Address, key=str, value=str)
    written = channel(to=Address, key=str)


class Replica(Register):
    """Keeps what comes last, and answers."""

    register = table(key=Key(str), value=str)

    register(key, argmax(value, by=value)) < +-Register.write(_, _, key, value)
    Register.written(client, key) < ~Register.write(_, client, key, _)


class ToAll(Register):
    """Writes to all replicas."""

    replicas = roster("replica")
    put = input(key=str, value=str)
    done = output(key=str)

    Register.write(replica, here, key, value) < ~put(key, value) & replicas(replica)
    done(key) <= Register.written(_, key)


class ToSome(Register):
    """Writes to all replicas but one."""

    replicas = roster("replica")
    put = input(key=str, value=str, node=Address)
    done = output(key=str)

    Register.write(replica, here, key, value) < ~(
        put(key, value, node) & replicas(replica) & (replica != node)
    )
    done(key) <= Register.written(_, key)


class Standing(Register):
    """Keeps on writing what it has stored."""

    replicas = roster("replica")
    put = input(key=str, value=str)
    stored = table(key=str, value=str)

    stored(key, value) <= put(key, value)
    Register.write(replica, here, key, value) < ~stored(key, value) & replicas(replica)


def cluster(sender: type[Program], replicas: int = 3) -> Cluster:
    """A replicated register and who writes to it."""
    return Cluster(replica=Replica * replicas, sender=sender)


def rules(made: Coordinated, role: str) -> dict[str, ir.Rule]:
    """A role's rules by name."""
    found = next(r for r in made.deployed.deployment.roles if r.name == role)
    return {rule.name: rule for rule in found.program.rules}


def collections(made: Coordinated, role: str) -> dict[str, ir.Collection]:
    """A role's collections by name."""
    found = next(r for r in made.deployed.deployment.roles if r.name == role)
    return {c.name: c for c in found.program.collections}


# ------------------------------------------------------------------------ the plan


def test_a_replicated_register_gets_one_log_where_its_writes_come_in() -> None:
    made = coordinate(cluster(ToAll))
    (insertion,) = made.plan.insertions
    assert insertion.mechanism == "consensus"
    assert insertion.role == "replica"
    assert insertion.entries == ("Register.write",)
    assert insertion.gate == ("key",)
    assert insertion.price.messages == 8
    assert made.before.status == 1
    assert made.after.status == 0
    assert made.after.verdict("register").word == "ordered"


def test_one_node_orders_what_comes_to_it_by_itself() -> None:
    (insertion,) = coordinate(cluster(ToAll, 1)).plan.insertions
    assert insertion.mechanism == "local order"
    assert insertion.price.messages == 2


def test_rewrites_are_proposed_and_not_forced() -> None:
    made = coordinate(cluster(ToAll))
    assert any("lattice" in proposal.text for proposal in made.plan.proposals)


def test_what_needs_nothing_gets_nothing() -> None:
    made = coordinate(str(PROGRAMS / "quorum.py"))
    assert made.plan.insertions == ()
    assert made.plan.refusals == ()


def test_a_protocol_gets_no_second_one() -> None:
    made = coordinate(str(PROGRAMS / "multipaxos.py"))
    assert made.plan.insertions == ()
    assert made.after.status == 0


def test_a_mechanism_that_there_is_not() -> None:
    with pytest.raises(BloomishError, match="there are paxos, 2pc, seal"):
        coordinate(cluster(ToAll), "raft")


def test_a_ded_program_is_refused() -> None:
    with pytest.raises(BloomishError, match="where every row is"):
        coordinate(str(PROGRAMS / "dedalus" / "two_phase_commit.ded"))


def test_the_plan_does_not_depend_on_the_hash_seed() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-m", "bloomish", "coordinate", str(PROGRAMS / "first_come_lock.py")],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(texts) == 1


# ----------------------------------------------------------------------- the senders


def test_a_broadcast_is_submitted_once_for_all() -> None:
    made = coordinate(cluster(ToAll))
    (sent,) = (r for r in rules(made, "sender").values() if r.head == "order.submit")
    (command,) = sent.args
    assert isinstance(command, ir.TupleExpr)
    assert command.items[0] == ir.Const("Register.write")
    assert [p.collection for p in sent.body if isinstance(p, ir.Atom)] == ["put"]
    assert not any(r.head == "write" for r in rules(made, "sender").values())


def test_a_message_to_some_names_them_and_is_one_command() -> None:
    made = coordinate(cluster(ToSome))
    heads = {r.head for r in rules(made, "sender").values()}
    assert {"order.submit", "order.sent_write_1", "order.nodes_write_1"} <= heads
    delivered = rules(made, "replica")["order.ordered_write_1"]
    assert any(isinstance(part, ir.Each) for part in delivered.body)
    assert made.after.status == 0


def test_a_standing_send_is_kept_and_not_submitted_at_every_tick() -> None:
    made = coordinate(cluster(Standing))
    assert any(r.head == "order.keep" for r in rules(made, "sender").values())
    assert not any(
        r.head == "order.submit" and "Register.write" in str(r.args)
        for r in rules(made, "sender").values()
    )


def test_all_that_a_message_does_it_does_when_it_is_delivered() -> None:
    made = coordinate(cluster(ToAll))
    for name in ("register_1", "written_1"):
        read = [p.collection for p in rules(made, "replica")[name].body if isinstance(p, ir.Atom)]
        assert read == ["order.ordered_write"]


def test_state_made_of_the_log_is_durable_and_in_its_images() -> None:
    made = coordinate(cluster(ToAll))
    assert collections(made, "replica")["register"].durable
    heads = [r.head for r in rules(made, "replica").values() if "image_register" in r.name]
    assert heads == ["order.part", "register", "register"]


def test_a_lattice_column_survives_the_log_and_its_images() -> None:
    class Sets(Program):
        add = channel(to=Address, key=str, values=SetUnion(str))
        remove = channel(to=Address, key=str)
        store = table(key=Key(str), values=SetUnion(str))

        store(key, values) <= add(_, key, values)
        store(key, values) < -store(key, values) & remove(_, key)

    class Writer(Sets):
        replicas = roster("replica")
        put = input(key=str, value=str)
        Sets.add(replica, key, {value}) < ~put(key, value) & replicas(replica)

    made = coordinate(Cluster(replica=Sets * 2, writer=Writer))
    assert made.after.status == 0
    text = printed(made.deployed.deployment)
    assert "SetUnion(str)" in text


# ----------------------------------------------------------------- what is cut, and not


def test_the_cut_is_at_what_arrives() -> None:
    inference = infer(System(cluster(ToAll).compile().deployment))
    units = [u for u in inference.system.units if u.rule.name == "register_1"]
    cut = placement(inference, "replica", units)
    assert cut.entries == ("Register.write",)
    assert cut.rows == 3  # one to each replica


def test_what_a_node_concludes_from_its_own_clock_is_refused() -> None:
    class Clocked(Program):
        every = periodic(1.0)
        note = channel(to=Address, key=str)
        log = table(key=Key(str), value=int)

        log(key, number) < +-note(_, key) & every(number)

    made = coordinate(Clocked)
    assert made.after.status == 1
    (refusal,) = made.plan.refusals
    assert "clock" in refusal.why
    assert refusal.span.line > 0


def test_a_clock_that_is_sent_is_settled_where_it_arrives() -> None:
    made = coordinate(racing.M20, nodes=2)
    (insertion,) = made.plan.insertions
    assert insertion.entries == ("stamped",)
    assert made.after.status == 0


def test_a_log_read_by_the_batch_is_refused() -> None:
    made = coordinate(racing.M40batch)
    assert made.after.status == 1
    assert "one slot per tick" in made.plan.refusals[0].why


def test_now_in_a_rule_that_reads_the_log_stays_flagged() -> None:
    class Stamped(Program):
        put = channel(to=Address, key=str)
        last = table(key=Key(str), at=float)
        now_and_then = scratch(key=str, at=float)

        now_and_then(key, now()) <= put(_, key)
        last(key, max_(value)) < +-now_and_then(key, value)

    made = coordinate(Stamped)
    assert made.after.status == 1
    assert made.plan.refusals
    for refusal in made.plan.refusals:
        assert "now_and_then_1 asks for now() at each node" in refusal.why


def test_a_deletion_that_reads_nothing_is_ordered_with_the_insertions() -> None:
    class Shared(Program):
        peers = roster("peer")
        added = channel(to=Address, key=str)
        removed = channel(to=Address, key=str)
        put = input(key=str)
        drop = input(key=str)
        members = table(key=str)

        added(node, key) < ~put(key) & peers(node)
        removed(node, key) < ~drop(key) & peers(node)
        members(key) < +added(_, key)
        members(key) < -removed(_, key)

    made = coordinate(Cluster(peer=Shared * 3))
    (insertion,) = made.plan.insertions
    assert set(insertion.entries) == {"added", "removed"}
    assert not made.plan.refusals
    assert made.after.status == 0


def test_a_timer_that_fires_at_one_replica_prompts_them_all() -> None:
    """Each at a timer of its own would close after other entries than the others."""

    class Door(Program):
        enter = channel(to=Address, key=str)
        first = channel(to=Address, key=str)

    class Desk(Door):
        visitors = roster("visitor")
        timer = periodic(1.0)
        entered = table(key=str)
        chosen = table(place=Key(int), key=str)

        entered(key) <= Door.enter(_, key)
        chosen(0, max_(key)) < +(timer(_) & entered(key) & notin(chosen(0, _)))
        Door.first(node, key) < ~chosen(0, key) & visitors(node)

    class Visitor(Door):
        desks = roster("desk")
        come = input(key=str)
        heard = table(key=str)
        two = invariant(one=str, other=str)

        Door.enter(node, key) < ~come(key) & desks(node)
        heard(key) <= Door.first(_, key)
        two(key, value) <= heard(key) & heard(value) & (key < value)

    made = coordinate(Cluster(desk=Desk * 2, visitor=Visitor), log="contract")
    assert made.plan.insertions[0].entries == ("Door.enter", "desk.timer")
    stage = stage_of_target(Target("desks", (), made.deployed), ())
    inserts = [Insert(0, "visitor-0", "come", (name,)) for name in "ab"]
    space = explore(stage, inserts, Limits(states=3_000, duplicates=0))
    assert not space.violations


class Mesh(Program):
    """Everyone writes at home and tells the others."""

    peers = roster("peer")
    put = input(key=str, value=str)
    told = channel(to=Address, key=str, value=str)
    data = table(key=Key(str), value=str)

    data(key, max_(value)) < +-put(key, value)
    told(node, key, value) < ~put(key, value) & peers(node) & (node != here)
    data(key, max_(value)) < +-told(_, key, value)


@pytest.mark.parametrize("shards", [1, 2])
def test_what_one_writes_at_home_and_tells_the_others_takes_one_slot(shards: int) -> None:
    """In slots of their own, each of two who write would end with what the other wrote."""
    made = coordinate(Cluster(peer=Mesh * 3), log="contract", shards=shards)
    assert made.after.status == 0
    stage = stage_of_target(Target("mesh", (), made.deployed), ())
    inserts = [Insert(0, f"peer-{n}", "put", (("x", value),)) for n, value in enumerate("ab")]
    found = outcomes(explore(stage, inserts, Limits(states=20_000, duplicates=0)))
    ends = {tuple(outcome.rows(node, "data") for node in stage.nodes) for outcome in found}
    assert ends == {((("x", value),),) * 3 for value in "ab"}


class Asked(Program):
    """What is said to a replica of the client's choice."""

    write = channel(to=Address, key=str, value=str)


class Forwarding(Asked):
    """Takes what it is asked to, and forwards it to the others."""

    peers = roster("replica")
    forward = channel(to=Address, key=str, value=str)
    data = table(key=Key(str), value=str)

    data(key, max_(value)) < +-Asked.write(_, key, value)
    forward(node, key, value) < ~Asked.write(_, key, value) & peers(node) & (node != here)
    data(key, max_(value)) < +-forward(_, key, value)


class ToOne(Asked):
    """Asks the replica that its host names."""

    put = input(node=Address, key=str, value=str)

    Asked.write(node, key, value) < ~put(node, key, value)


def test_the_plan_says_what_only_some_nodes_keep() -> None:
    made = coordinate(Cluster(replica=Replica * 3, sender=ToSome))
    assert made.plan.insertions[0].apart == ("Register.write",)
    assert "apart    Register.write: what comes for some of the nodes" in rendered(made)
    assert made.after.verdict("replica.register").label == "Diverge"
    forwarding = Cluster(replica=Forwarding * 3, client=ToOne)
    for target in (cluster(ToAll), forwarding):
        made = coordinate(target)
        assert made.plan.insertions[0].apart == ()
        labels = {one.label for one in made.after.verdicts if one.word == "ordered"}
        assert labels <= {"Run", "Async"}


def test_what_one_is_sent_and_forwards_takes_one_slot() -> None:
    made = coordinate(Cluster(replica=Forwarding * 3, client=ToOne * 2), log="contract")
    assert not any(rule.head == "forward" for rule in rules(made, "replica").values())
    stage = stage_of_target(Target("forwarding", (), made.deployed), ())
    inserts = [
        Insert(0, f"client-{n}", "put", ((f"replica-{n}", "x", value),))
        for n, value in enumerate("ab")
    ]
    found = outcomes(explore(stage, inserts, Limits(states=20_000, duplicates=0)))
    nodes = [node for node in stage.nodes if node.startswith("replica")]
    ends = {tuple(outcome.rows(node, "data") for node in nodes) for outcome in found}
    assert ends == {((("x", value),),) * 3 for value in "ab"}


@pytest.mark.parametrize("name", ["M9", "M13", "M17", "M24", "M35", "M38"])
@pytest.mark.parametrize("nodes", [1, 3])
def test_races_are_settled(name: str, nodes: int) -> None:
    made = coordinate(getattr(racing, name, None) or getattr(shapes, name), nodes=nodes)
    assert made.after.status == 0
    assert not made.plan.refusals


# ---------------------------------------------------------------------------- shards


def test_a_log_is_split_by_the_key_that_all_rules_keep_to() -> None:
    made = coordinate(str(PROGRAMS / "cart.py:destructive"), shards=3)
    (insertion,) = made.plan.insertions
    assert insertion.gate == ("session",)  # items of one session meet at its checkout
    assert insertion.shards == 3
    assert made.after.status == 0
    names = collections(made, "replica")
    assert {"order_1.deliver", "order_2.deliver", "order_3.deliver"} <= names.keys()


def test_each_log_carries_its_own_keys_in_its_images() -> None:
    made = coordinate(cluster(ToAll), shards=2)
    parts = [r for r in rules(made, "replica").values() if r.head.endswith(".part")]
    mine = [r for r in parts if "image_register" in r.name]
    tests = [str(p.test) for r in mine for p in r.body if isinstance(p, ir.Condition)]
    assert len(mine) == len(set(tests)) == 2
    assert all("shard_of" in test for test in tests)


def test_what_joins_two_keys_is_not_split() -> None:
    class Moves(Program):
        move = channel(to=Address, key=str, node=str)
        place = table(key=Key(str), value=str)

        place(node, value) < +-move(_, key, node) & place(key, value)
        place <= [("a", "1")]

    made = coordinate(Moves, nodes=3, shards=2)
    (insertion,) = made.plan.insertions
    assert insertion.gate == ()
    assert insertion.shards == 1
    assert "shards   none: no column" in rendered(made)
    assert "shards" not in rendered(coordinate(Moves, nodes=3))


def test_shards_run_beside_each_other_in_the_simulator() -> None:
    stage = stage_of(f"{PROGRAMS / 'user_names.py'} --coordinate --shards 2", log="contract")
    inserts = [
        Insert(0, "client-0", "want", (("ann", "x"), ("bob", "x"))),
        Insert(0, "client-1", "want", (("ann", "y"),)),
    ]
    space = explore(stage, inserts, Limits(states=20_000))
    assert not space.violations
    assert all(len(g) == 1 for g in by_decided_log(space, outcomes(space)).values())


# ------------------------------------------------------------------------ the result


def stated(text: str) -> list[str]:
    """A program file without its comments."""
    lines = (line for line in text.splitlines() if line.strip())
    return [line for line in lines if not line.lstrip().startswith("# ")]


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("target", ["register.py", "first_come_lock.py", "cart.py:destructive"])
def test_the_result_is_an_ordinary_program_file(target: str, shards: int, tmp_path: Path) -> None:
    made = coordinate(str(PROGRAMS / target), shards=shards)
    file = tmp_path / "made.py"
    file.write_text(printed(made.deployed.deployment))
    read = load(str(file))
    assert read.cluster is not None
    again = read.cluster.deployment
    assert "# coordination: order" in file.read_text()
    assert stated(printed(again)) == stated(file.read_text())
    found = check(str(file))
    assert found.status == 0
    assert found.modes == made.after.modes
    for role, other in zip(made.deployed.deployment.roles, again.roles, strict=True):
        assert {c.name for c in role.program.collections} == {
            c.name for c in other.program.collections
        }
    assert to_json(made.deployed.deployment)


def test_the_report_has_a_line_for_what_was_inserted() -> None:
    text = render(coordinate(cluster(ToAll)).after)
    assert "replica.register  ordered             [Run]" in text
    assert "replica.order  protocol: " in text
    assert "order.free" not in text


def test_an_invariant_over_a_log_is_not_broken_by_merging() -> None:
    made = coordinate(str(PROGRAMS / "promotion.py"))
    (before,), (after,) = made.before.invariants, made.after.invariants
    assert not before.confluent
    assert after.confluent


def test_inserted_rules_say_where_they_come_from() -> None:
    made = coordinate(cluster(ToAll))
    (insertion,) = made.plan.insertions
    known = rules(made, "replica") | rules(made, "sender")
    assert all(known[name].origin == "coordination: order" for name in insertion.inserted)
    assert known["register_1"].origin == ""


def ends(target: str, inserts: list[Insert]) -> list[int]:
    """How many outcomes each decided log has, in an exploration without bound."""
    stage = stage_of(target, log="contract")
    space = explore(stage, inserts, Limits(states=400_000))
    assert not space.bounded
    assert not space.violations
    return [len(group) for group in by_decided_log(space, outcomes(space)).values()]


def test_equal_logs_end_equally_and_replicas_agree() -> None:
    inserts = [
        Insert(0, "speaker-0", "speak", ((0, "Hello "),)),
        Insert(0, "speaker-1", "speak", ((0, "World!"),)),
    ]
    assert ends(f"{PROGRAMS / 'concatenation.py'} --coordinate", inserts) == [1, 1]


def test_without_the_log_they_do_not() -> None:
    inserts = [
        Insert(0, "speaker-0", "speak", ((0, "Hello "),)),
        Insert(0, "speaker-1", "speak", ((0, "World!"),)),
    ]
    stage = stage_of(str(PROGRAMS / "concatenation.py"))
    space = explore(stage, inserts, Limits(states=400_000))
    assert max(len(g) for g in by_decided_log(space, outcomes(space)).values()) > 1


def test_a_target_that_cannot_be_coordinated_is_refused_with_the_reason() -> None:
    target = PROGRAMS.parent / "tests" / "programs" / "micro" / "asking.py"
    with pytest.raises(BloomishError, match=r"asking.py:\d+: total_1: .*goes round"):
        stage_of(f"{target}:two_channels --coordinate")


def test_a_refusal_says_where_and_that_no_file_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"{PROGRAMS.parent / 'tests' / 'programs' / 'micro' / 'asking.py'}:two_channels"
    assert check_coordinated(target, "", 1, 1, False, "text") == 1
    assert re.search(r"asking.py:\d+: total_1: nothing inserted: ", capsys.readouterr().err)
    made = tmp_path / "made.py"
    assert coordinate_verb(target, False, "", 1, 1, made, "text") == 1
    assert "made.py is not written" in capsys.readouterr().err
    assert not made.exists()


def test_notin_over_what_is_delivered_is_a_function_of_the_log() -> None:
    class First(Program):
        ask = channel(to=Address, key=str, client=Address)
        owner = table(key=Key(str), client=Address)

        owner(key, client) < +ask(_, key, client) & notin(owner(key, _))

    assert coordinate(First, nodes=3).after.verdict("owner").word == "ordered"
