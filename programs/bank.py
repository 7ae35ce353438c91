"""Two banks: a transfer debits an account at one and credits an account at the other.

Sources: Gray, "Notes on Data Base Operating Systems" (1978), for the debit and the credit that must
both happen or neither; Helland, "Building on Quicksand" (CIDR 2009), for balances as sums of
operations; Bailis et al., "Coordination Avoidance in Database Systems" (VLDB 2015), section 5: a
balance that may not fall below nothing, and is drawn from, is not invariant-confluent.

A teller sends the debit to the one bank and the credit to the other.  A bank books a debit if the
balance covers it.  Two things go wrong: of two debits that come at a time each is covered, and both
together are not; and a credit is booked, whatever the other bank says of the debit.

Nothing here coordinates: `bloomish check` flags the debit, `--coordinate` puts atomic commit before
both.
"""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, const, here, input, invariant, output, scratch,
    sum_, table, variables,
)

account, amount, covers, number, source, source_bank, target, target_bank, teller = variables(
    "account amount covers number source source_bank target target_bank teller"
)


class Money(Program):
    """What tellers and banks say to each other.  A transfer's number names it everywhere."""

    debit = channel(to=Address, teller=Address, number=int, account=str, amount=int)
    credit = channel(to=Address, teller=Address, number=int, account=str, amount=int)
    debited = channel(to=Address, number=int)
    refused = channel(to=Address, number=int)
    credited = channel(to=Address, number=int)


class Bank(Money):
    """Keeps its accounts as what they began with, what was paid in and what was drawn."""

    opened = const(account=str, amount=int)
    drawn = table(number=int, account=str, amount=int, durable=True)
    paid = table(number=int, account=str, amount=int, durable=True)
    moved = scratch(number=int, account=str, amount=int)
    balance = scratch(account=Key(str), amount=int)
    overdrawn = invariant(account=str, amount=int)

    opened <= [("alice", 100), ("bob", 100), ("carol", 100)]

    moved(0, account, amount) <= opened(account, amount)
    moved(number, account, amount) <= paid(number, account, amount)
    moved(number, account, 0 - amount) <= drawn(number, account, amount)
    balance(account, sum_(amount)) <= moved(_, account, amount)
    overdrawn(account, amount) <= balance(account, amount) & (amount < 0)

    drawn(number, account, amount) <+ (
        Money.debit(_, _, number, account, amount) & balance(account, covers)
        & (covers >= amount)
    )
    paid(number, account, amount) <+ Money.credit(_, _, number, account, amount)

    Money.debited(teller, number) <~ (
        Money.debit(_, teller, number, account, amount) & balance(account, covers)
        & (covers >= amount)
    )
    Money.refused(teller, number) <~ (
        Money.debit(_, teller, number, account, amount) & balance(account, covers)
        & (covers < amount)
    )
    Money.credited(teller, number) <~ Money.credit(_, teller, number, _, _)


class Teller(Money):
    """Transfers for its host, and tells what the banks say."""

    transfer = input(
        number=int, source_bank=Address, source=str, target_bank=Address, target=str, amount=int
    )
    short = table(number=int)
    arrived = table(number=int)
    sent = output(number=int)
    uncovered = output(number=int)
    received = output(number=int)
    from_nothing = invariant(number=int)

    Money.debit(source_bank, here, number, source, amount) <~ (
        transfer(number, source_bank, source, _, _, amount)
    )
    Money.credit(target_bank, here, number, target, amount) <~ (
        transfer(number, _, _, target_bank, target, amount)
    )
    sent(number) <= Money.debited(_, number)
    uncovered(number) <= Money.refused(_, number)
    received(number) <= Money.credited(_, number)

    # Money that came to the one account and did not leave the other.
    short(number) <= Money.refused(_, number)
    arrived(number) <= Money.credited(_, number)
    from_nothing(number) <= short(number) & arrived(number)


cluster = Cluster(bank=Bank * 2, teller=Teller * 2)
