"""A register to which words are appended in one order, and an auditor, whom replicas tell it.

Every word is appended once, so the register tells the whole order: of any two registers one is the
beginning of the other, and in none does a word stand twice.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, each, eventually, field, function, here, input,
    invariant, notin, roster, scratch, table, use, variables,
)
from bloomish.programs.ordering import (
    DetectingOutbox, Outbox, ReplicatedPeer, SequencedPeer,
)

command, name, node, number, other, parts, row, text, word = variables(
    "command name node number other parts row text word"
)


@function
def forked(one: str, two: str) -> bool:
    """Is neither the beginning of the other?"""
    return not one.startswith(two) and not two.startswith(one)


@function
def repeats(text: str) -> bool:
    """Does a word stand twice?"""
    words = text.split()
    return len(words) != len(set(words))


@function
def lacks(text: str, word: str) -> bool:
    return word not in text.split()


@function
def strange(text: str) -> bool:
    """Is there a word that no host ever said?"""
    return not all(word[0] == "w" and word[1:].isdigit() for word in text.split())


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    replicas = roster("replica")
    told_register = channel(to=Address, text=str)
    told_done = channel(to=Address, word=str)


class Saying(Audit):
    """Words that are said once, and words that are wished for, with an outbox in between."""

    say = input(word=str)
    wish = input(word=str)
    lapse = input(word=str)
    wishes = table(word=str, durable=True)
    done = scratch(word=str)

    wishes(word) <= wish(word)
    wishes(word) <- wishes(word) & lapse(word)
    Audit.told_done(node, word) <~ done(word) & Audit.replicas(node)


class Submitter(Saying):
    """Says and wishes; what was wished for is in the log when it is no longer outstanding."""

    order = use(Outbox)
    settled = eventually(node=Address)

    order.submit(("append", word)) <= Saying.say(word)
    order.keep(("append", word)) <= Saying.wishes(word)
    Saying.done(word) <= (
        Saying.wishes(word) & order.kept(("append", word), number, _) & order.next(_)
        & notin(order.outstanding(number, _, _))
    )
    settled(here) <= order.next(_) & notin(order.outstanding(_, _, _))


class DetectingSubmitter(Saying):
    """The same, to whoever leads."""

    order = use(DetectingOutbox)
    settled = eventually(node=Address)

    order.submit(("append", word)) <= Saying.say(word)
    order.keep(("append", word)) <= Saying.wishes(word)
    Saying.done(word) <= (
        Saying.wishes(word) & order.kept(("append", word), number, _) & order.next(_)
        & notin(order.outstanding(number, _, _))
    )
    settled(here) <= order.next(_) & notin(order.outstanding(_, _, _))


class Register(Saying):
    """Appends what is delivered, and at last has all that was wished for."""

    register = table(name=Key(str), text=str, durable=True)
    expected = table(word=str)
    missing = scratch(word=str)
    appended_twice = invariant(text=str)
    settled = eventually(node=Address)

    register <= [("r", "")]
    Audit.told_register(node, text) <~ register(_, text) & Audit.auditors(node)
    appended_twice(text) <= register(_, text) & repeats(text)
    expected(word) <= Audit.told_done(_, word)
    missing(word) <= expected(word) & register(_, text) & lacks(text, word)
    settled(here) <= register(_, _) & notin(missing(_))


class SequencedRegister(Register):
    order = use(SequencedPeer)

    order.submit(("append", word)) <= Saying.say(word)
    order.keep(("append", word)) <= Saying.wishes(word)
    Register.register(name, text + field(command, 1, str) + " ") <+- (
        order.deliver(_, command) & Register.register(name, text)
    )


class ReplicatedRegister(Register):
    """Detectors may be as wrong as they like: who usurps takes itself for the leader until it next
    looks at the clock."""

    order = use(ReplicatedPeer)
    submitters = roster("submitter")
    usurp = input(number=int)
    usurping = table(number=int)

    order.submitters(node) <= submitters(node)
    order.submit(("append", word)) <= Saying.say(word)
    order.keep(("append", word)) <= Saying.wishes(word)
    Register.register(name, text + field(command, 1, str) + " ") <+- (
        order.deliver(_, command) & Register.register(name, text)
    )
    order.part(("register", name, text)) <= order.imaged(_) & Register.register(name, text)
    Register.register(field(row, 1, str), field(row, 2, str)) <+- (
        order.installed(_, parts) & each(row, parts) & (field(row, 0, str) == "register")
    )

    usurping(number) <= usurp(number)
    usurping(number) <- usurping(number) & order.log.detector.beat(_)
    order.log.detector.leader(here) <= usurping(_)


class Auditor(Audit):
    """One order of what was said."""

    registers = table(text=str, durable=True)
    fork = invariant(one=str, two=str)
    made_up = invariant(text=str)

    registers(text) <= Audit.told_register(_, text)
    fork(text, other) <= (
        registers(text) & registers(other) & (text < other) & forked(text, other)
    )
    made_up(text) <= registers(text) & strange(text)


sequenced = Cluster(replica=SequencedRegister * 3, submitter=Submitter * 2, auditor=Auditor)
replicated = Cluster(
    replica=ReplicatedRegister * 3, submitter=DetectingSubmitter * 2, auditor=Auditor
)
