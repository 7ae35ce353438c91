"""Paxos and an auditor, whom every node tells what it holds for decided."""

from bloomish import (
    Address, Cluster, Program, _, channel, eventually, here, input, invariant, notin, roster,
    scratch, table, variables,
)
from bloomish.programs.paxos import Learner, Node

instance, node, number, other, value = variables("instance node number other value")


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told = channel(to=Address, instance=str, value=str, node=Address)


class Audited(Node, Audit):
    """What a node wants decided is decided, and it learns of it.

    Detectors may be as wrong as they like: who usurps takes itself for the leader until it next
    looks at the clock.
    """

    usurp = input(number=int)
    usurping = table(number=int)
    open = scratch(instance=str)
    settled = eventually(node=Address)

    usurping(number) <= usurp(number)
    usurping(number) <- usurping(number) & Node.detector.beat(_)
    Node.detector.leader(here) <= usurping(_)

    Audit.told(node, instance, value, here) <~ (
        Learner.decided(instance, value) & Audit.auditors(node)
    )
    open(instance) <= Node.wish(instance, _) & notin(Learner.decided(instance, _))
    settled(here) <= Node.nodes(here) & notin(open(_))


class Auditor(Audit):
    """Never two decisions, never one that nobody proposed."""

    seen = table(instance=str, value=str, durable=True)
    torn = invariant(instance=str, one=str, two=str)
    made_up = invariant(instance=str, value=str)

    seen(instance, value) <= Audit.told(_, instance, value, _)
    torn(instance, value, other) <= (
        seen(instance, value) & seen(instance, other) & (value < other)
    )
    made_up(instance, value) <= (
        seen(instance, value) & (value != "x") & (value != "y") & (value != "z")
    )


cluster = Cluster(node=Audited * 3, auditor=Auditor)
