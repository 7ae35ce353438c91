"""Banks and tellers over transactions, and an auditor, whom all tell what they did and heard."""

from bloomish import (
    Address, Any, Cluster, Key, Program, _, channel, count, each, eventually, field, here,
    input, invariant, notin, roster, scratch, sum_, table, use, variables,
)
from bloomish.programs.failure_detector import FailureDetector
from bloomish.programs.transactions import Coordinator, Participant, Submitter, Ticket, Transactions

(
    account, amount, bank, bank_, commit, entry, how_many, keeper, node, number, other, part, row,
    source, source_bank, tag, target, target_bank, ticket,
) = variables(
    "account amount bank bank_ commit entry how_many keeper node number other part row "
    "source source_bank tag target target_bank ticket"
)

OPENING = 100


class Audit(Program):
    """What nodes tell, again and again."""

    auditors = roster("auditor")
    told_end = channel(to=Address, tag=Any, commit=bool)
    told_move = channel(to=Address, bank=Address, ticket=Ticket, tag=Any, account=str, amount=int)


class Teller(Submitter, Audit):
    """Transfers for its host: a debit at the one bank and a credit at the other."""

    transfer = input(
        number=int, source_bank=Address, source=str, target_bank=Address, target=str, amount=int
    )
    order = table(number=int)       # standing orders: kept, until their host says that they are off
    standing = input(number=int)
    ended = table(tag=Any, commit=bool, durable=True)
    answered_twice = invariant(tag=Any)
    waits = eventually(node=Address)

    Submitter.submit(
        (here, number),
        (
            (source_bank, "debit", (source, amount, (here, number)), source),
            (target_bank, "credit", (target, amount, (here, number)), target),
        ),
    ) <= transfer(number, source_bank, source, target_bank, target, amount)

    order(number) <= standing(number)
    Submitter.keep(
        (here, 0 - number),
        (
            ("keeper-0", "debit", ("a", 1, (here, 0 - number)), "a"),
            ("keeper-1", "credit", ("c", 1, (here, 0 - number)), "c"),
        ),
    ) <= order(number)
    order(number) <- Submitter.outcome((here, 0 - number), _) & order(number)

    ended(tag, commit) <= Submitter.outcome(tag, commit)
    answered_twice(tag) <= ended(tag, True) & ended(tag, False)
    Audit.told_end(node, tag, commit) <~ ended(tag, commit) & Audit.auditors(node)
    waits(here) <= Audit.auditors(_) & notin(Submitter.waiting(_, _, _, _))


class Bank(Coordinator, Participant, Audit):
    """Accounts `a` and `b` at the first bank, `c` and `d` at the second, `e` and `f` at the third:
    of 100 each, and of no less than nothing."""

    opened = table(account=Key(str), amount=int, durable=True)
    accounts = table(account=Key(str), amount=int, durable=True)
    moved = table(ticket=Ticket, tag=Any, account=str, amount=int, durable=True)
    asked_for = scratch(ticket=Ticket, part=Any, entry=str, account=str, amount=int)
    taken = scratch(ticket=Ticket, tag=Any, entry=str, account=str, amount=int)
    changes = scratch(ticket=Ticket, tag=Any, account=str, amount=int)
    sums = scratch(account=Key(str), amount=int)
    booked = scratch(account=Key(str), amount=int)
    overdrawn = invariant(account=str, amount=int)
    off = invariant(account=str, amount=int, moved=int)
    settled_all = eventually(node=Address)

    opened(account, OPENING) <= (
        Transactions.keepers(node) & (node == here)
        & (node == "keeper-0") & each(account, ("a", "b"))
    )
    opened(account, OPENING) <= (
        Transactions.keepers(node) & (node == here)
        & (node == "keeper-1") & each(account, ("c", "d"))
    )
    opened(account, OPENING) <= (
        Transactions.keepers(node) & (node == here)
        & (node == "keeper-2") & each(account, ("e", "f"))
    )
    accounts(account, amount) <+ opened(account, amount) & notin(accounts(account, _))

    # --- the vote

    asked_for(
        ticket, part, field(part, 1, str), field(field(part, 2, Any), 0, str),
        field(field(part, 2, Any), 1, int),
    ) <= Participant.ask(ticket, part)
    Participant.can(ticket, part) <= (
        asked_for(ticket, part, "debit", account, amount) & accounts(account, other)
        & (other >= amount)
    )
    Participant.can(ticket, part) <= (
        asked_for(ticket, part, "credit", account, amount) & accounts(account, _)
    )
    Participant.veto(ticket) <= (
        asked_for(ticket, part, _, account, _) & asked_for(ticket, row, _, account, _)
        & (part != row)
    )

    # --- what is committed

    taken(
        ticket, field(field(part, 2, Any), 2, Any), field(part, 1, str),
        field(field(part, 2, Any), 0, str), field(field(part, 2, Any), 1, int),
    ) <= Participant.deliver(ticket, part)
    changes(ticket, tag, account, amount) <= taken(ticket, tag, "credit", account, amount)
    changes(ticket, tag, account, 0 - amount) <= taken(ticket, tag, "debit", account, amount)
    accounts(account, other + amount) <+- (
        changes(ticket, tag, account, amount) & accounts(account, other)
    )
    moved(ticket, tag, account, amount) <+ changes(ticket, tag, account, amount)

    overdrawn(account, amount) <= accounts(account, amount) & (amount < 0)
    sums(account, sum_(amount)) <= moved(_, _, account, amount)
    booked(account, amount + other) <= sums(account, amount) & opened(account, other)
    off(account, amount, other) <= (
        accounts(account, amount) & booked(account, other) & (amount != other)
    )
    Audit.told_move(node, here, ticket, tag, account, amount) <~ (
        moved(ticket, tag, account, amount) & Audit.auditors(node)
    )
    settled_all(here) <= (
        Transactions.keepers(here) & notin(Participant.in_doubt(_, _, _))
        & notin(Coordinator.queue(_, _, _, _, _)) & notin(Coordinator.telling(_, _))
    )


class Auditor(Audit):
    """All or nothing, once, as was said; and no money is made or lost."""

    ends = table(tag=Any, commit=bool, durable=True)
    moves = table(
        bank=Address, ticket=Ticket, tag=Any, account=str, amount=int, durable=True
    )
    parts = scratch(tag=Any, parts=int)
    total = scratch(total=int)
    moved_yet_refused = invariant(tag=Any)
    moved_twice = invariant(tag=Any)
    half = scratch(tag=Any)
    all_or_nothing = eventually(node=Address)
    conserved = eventually(node=Address)

    ends(tag, commit) <= Audit.told_end(_, tag, commit)
    moves(bank, ticket, tag, account, amount) <= (
        Audit.told_move(_, bank, ticket, tag, account, amount)
    )
    moved_yet_refused(tag) <= ends(tag, False) & moves(_, _, tag, _, _)
    moved_twice(tag) <= (
        moves(_, ticket, tag, _, _) & moves(_, other, tag, _, _) & (ticket < other)
    )
    parts(tag, count()) <= moves(_, _, tag, _, _)
    half(tag) <= parts(tag, how_many) & (how_many != 2)
    half(tag) <= ends(tag, True) & notin(parts(tag, _))
    all_or_nothing(here) <= Audit.auditors(here) & notin(half(_))
    total(sum_(amount)) <= moves(_, _, _, _, amount)
    conserved(here) <= Audit.auditors(here) & total(0)
    conserved(here) <= Audit.auditors(here) & notin(total(_))


class WatchedBank(Bank):
    """Says, too, whom it waits for."""

    detector = use(FailureDetector)
    detector.told(node) <= Transactions.keepers(node)
    detector.watched(node) <= Transactions.keepers(node)
    Participant.suspected(node) <= detector.suspect(node)


cluster = Cluster(keeper=Bank * 3, teller=Teller * 2, auditor=Auditor)
watched = Cluster(keeper=WatchedBank * 3, teller=Teller * 2, auditor=Auditor)
