"""Seals, with an auditor whom producers tell the truth and consumers what they hold for it."""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, eventually, here, invariant, notin, roster,
    scratch, sum_, table, variables,
)
from bloomish.programs.seal import Consumer, Producer, Registrar

group, node, producer, total, value = variables("group node producer total value")


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told_truth = channel(to=Address, producer=Address, group=str, total=int)
    told_part = channel(to=Address, producer=Address, group=str, total=int)
    told_total = channel(to=Address, group=str, total=int)


class AuditedProducer(Producer, Audit):
    truth = scratch(group=Key(str), total=int)

    truth(group, sum_(value)) <= Producer.items(group, _, value) & Producer.closed(group)
    Audit.told_truth(node, here, group, total) <~ truth(group, total) & Audit.auditors(node)


class AuditedConsumer(Consumer, Audit):
    """Of a crew whose members have all closed the group, the total comes."""

    incomplete = scratch(group=str)
    settled = eventually(node=Address)

    Audit.told_part(node, producer, group, total) <~ (
        Consumer.part(producer, group, total) & Audit.auditors(node)
    )
    Audit.told_total(node, group, total) <~ (
        Consumer.total(group, total) & Audit.auditors(node)
    )
    incomplete(group) <= Consumer.crews(group, _) & notin(Consumer.complete(group))
    settled(here) <= Consumer.consumers(here) & notin(incomplete(_))


class Auditor(Audit):
    """What is said to be complete is complete: it says the same for ever, and the truth."""

    truths = table(producer=Address, group=str, total=int, durable=True)
    parts = table(producer=Address, group=str, total=int, durable=True)
    totals = table(group=str, total=int, durable=True)
    wrong_part = invariant(producer=Address, group=str, said=int, is_=int)
    torn = invariant(group=str, one=int, two=int)

    truths(producer, group, total) <= Audit.told_truth(_, producer, group, total)
    parts(producer, group, total) <= Audit.told_part(_, producer, group, total)
    totals(group, total) <= Audit.told_total(_, group, total)
    wrong_part(producer, group, total, value) <= (
        parts(producer, group, total) & truths(producer, group, value) & (total != value)
    )
    torn(group, total, value) <= (
        totals(group, total) & totals(group, value) & (total < value)
    )


cluster = Cluster(
    producer=AuditedProducer * 3, registrar=Registrar, consumer=AuditedConsumer * 2,
    auditor=Auditor,
)
