"""The least that an order is for: replicas that append words, and some who say them."""

from bloomish import (
    Cluster, Key, Program, _, each, field, input, output, roster, table, use, variables,
)
from bloomish.programs.ordering import (
    DetectingOutbox, Outbox, Replicated, Sequenced, SequencedPeer,
)

command, name, node, owner, parts, row, text, word = variables(
    "command name node owner parts row text word"
)


class Hearing(Program):
    """`heard` is an event for every word delivered, `register` is all of them."""

    register = table(text=str, durable=True)
    heard = output(word=str)

    register <= [("",)]


class Register(Hearing):
    order = use(Sequenced)

    Hearing.register(text + field(command, 1, str)) <+ (
        order.deliver(_, command) & Hearing.register(text)
    )
    Hearing.register(text) <- order.deliver(_, _) & Hearing.register(text)
    Hearing.heard(field(command, 1, str)) <= order.deliver(_, command)


class Speaker(Program):
    order = use(Outbox)
    say = input(word=str)

    order.submit(("append", word)) <= say(word)


class Wisher(Program):
    order = use(Outbox)
    say = input(word=str)
    unsay = input(word=str)
    wishes = table(word=str, durable=True)

    wishes(word) <= say(word)
    wishes(word) <- wishes(word) & unsay(word)
    order.keep(("append", word)) <= wishes(word)


class Peer(Hearing):
    """Both at once."""

    order = use(SequencedPeer)
    say = input(word=str)

    Hearing.register(text + field(command, 1, str)) <+ (
        order.deliver(_, command) & Hearing.register(text)
    )
    Hearing.register(text) <- order.deliver(_, _) & Hearing.register(text)
    Hearing.heard(field(command, 1, str)) <= order.deliver(_, command)
    order.submit(("append", word)) <= say(word)


class ReplicatedRegister(Hearing):
    order = use(Replicated)
    speakers = roster("speaker")

    order.submitters(node) <= speakers(node)
    Hearing.register(text + field(command, 1, str)) <+ (
        order.deliver(_, command) & Hearing.register(text)
    )
    Hearing.register(text) <- order.deliver(_, _) & Hearing.register(text)
    Hearing.heard(field(command, 1, str)) <= order.deliver(_, command)
    order.part(("register", text)) <= order.imaged(_) & Hearing.register(text)
    Hearing.register(field(row, 1, str)) <+ (
        order.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "register")
    )
    Hearing.register(text) <- order.installed(_, _) & Hearing.register(text)


class DetectingSpeaker(Program):
    order = use(DetectingOutbox)
    say = input(word=str)

    order.submit(("append", word)) <= say(word)


class Racing(Program):
    """Commands that cannot all be carried out: of two owners of a name, the second fails."""

    owners = table(name=Key(str), owner=str, durable=True)


class Race(Racing):
    order = use(Sequenced)

    Racing.owners(field(command, 1, str), field(command, 2, str)) <= order.deliver(_, command)


class ReplicatedRace(Racing):
    order = use(Replicated)
    claimers = roster("claimer")

    order.submitters(node) <= claimers(node)
    Racing.owners(field(command, 1, str), field(command, 2, str)) <= order.deliver(_, command)
    order.part(("owners", name, owner)) <= order.imaged(_) & Racing.owners(name, owner)
    Racing.owners(field(row, 1, str), field(row, 2, str)) <+ (
        order.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "owners")
    )
    Racing.owners(name, owner) <- order.installed(_, _) & Racing.owners(name, owner)


class Claimer(Program):
    order = use(Outbox)
    claim = input(name=str, owner=str)

    order.submit(("claim", name, owner)) <= claim(name, owner)


class DetectingClaimer(Program):
    order = use(DetectingOutbox)
    claim = input(name=str, owner=str)

    order.submit(("claim", name, owner)) <= claim(name, owner)


alone = Cluster(replica=Register, speaker=Speaker * 2)
speakers = Cluster(replica=Register * 2, speaker=Speaker * 2)
wishers = Cluster(replica=Register * 2, wisher=Wisher * 2)
peers = Cluster(replica=Peer * 2)
three = Cluster(replica=Register * 3, speaker=Speaker)
replicated = Cluster(replica=ReplicatedRegister * 3, speaker=DetectingSpeaker)
race = Cluster(replica=Race * 2, claimer=Claimer)
race_alone = Cluster(replica=Race, claimer=Claimer)
replicated_race = Cluster(replica=ReplicatedRace * 3, claimer=DetectingClaimer)
