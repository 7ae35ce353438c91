"""Two-phase commit as Gray and Lamport specify it (Consensus on Transaction Commit, 2006).

One action at a time, messages stay: the TLA+ specification TwoPhase has 288
states with three resource managers.
"""

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    here,
    input,
    notin,
    roster,
    scratch,
    table,
    variables,
)  # fmt: skip

manager, tm, what = variables("manager tm what")


class TwoPhase(Program):
    prepared = channel(tm=Address, manager=Address)
    decision = channel(manager=Address, what=str)


class Manager(TwoPhase):
    tms = roster("tm")
    go = input(what=str)
    state = table(one=Key(int), value=str)

    state <= [(0, "working")]
    state(0, "prepared") < +-go("prepare") & state(0, "working")
    TwoPhase.prepared(tm, here) < ~go("prepare") & state(0, "working") & tms(tm)
    state(0, "aborted") < +-go("abort") & state(0, "working")
    state(0, what) < +-TwoPhase.decision(_, what)


class Coordinator(TwoPhase):
    managers = roster("manager")
    decide = input(what=str)
    state = table(one=Key(int), value=str)
    got = table(manager=Address)
    lacking = scratch(manager=Address)

    state <= [(0, "init")]
    got(manager) < +TwoPhase.prepared(_, manager) & state(0, "init")
    lacking(manager) <= managers(manager) & notin(got(manager))
    state(0, "committed") < +-decide("committed") & state(0, "init") & notin(lacking(_))
    TwoPhase.decision(manager, "committed") < ~(
        decide("committed") & state(0, "init") & notin(lacking(_)) & managers(manager)
    )
    state(0, "aborted") < +-decide("aborted") & state(0, "init")
    TwoPhase.decision(manager, "aborted") < ~(
        decide("aborted") & state(0, "init") & managers(manager)
    )


three = Cluster(tm=Coordinator, manager=Manager * 3)
five = Cluster(tm=Coordinator, manager=Manager * 5)
