"""Transfers between banks, as people write them, and none coordinates."""

from bloomish import (
    Address, Cluster, Key, Program, _, channel, const, each, here, input, invariant, notin, now,
    output, scratch, table, variables,
)

(
    account, amount, bank, client, covers, number, old, other, source, source_bank, target,
    target_bank,
) = variables(
    "account amount bank client covers number old other source source_bank target target_bank"
)

OPENING = [("alice", 100), ("bob", 100)]


class Opened(Program):
    """Every bank has accounts for both, of 100."""

    overdrawn = invariant(account=str, amount=int)


class Wishes(Program):
    transfer = input(
        number=int, source_bank=Address, source=str, target_bank=Address, target=str, amount=int
    )


# ------------------------------------------------------------ two channels, balances overwritten


class Money(Program):
    debit = channel(to=Address, number=int, account=str, amount=int)
    credit = channel(to=Address, number=int, account=str, amount=int)


class Overwriting(Money, Opened):
    balance = table(account=Key(str), amount=int)

    balance <= OPENING
    balance(account, old - amount) <+- (
        Money.debit(_, _, account, amount) & balance(account, old) & (old >= amount)
    )
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class Teller(Money, Wishes):
    Money.debit(source_bank, number, source, amount) <~ (
        Wishes.transfer(number, source_bank, source, _, _, amount)
    )
    Money.credit(target_bank, number, target, amount) <~ (
        Wishes.transfer(number, _, _, target_bank, target, amount)
    )


two_channels = Cluster(bank=Overwriting * 2, teller=Teller * 2)
two_roles = Cluster(bank_a=Overwriting, bank_b=Overwriting, teller=Teller * 2)


# ------------------------------------------------------------------- one channel, read at both


class Order(Program):
    order = channel(
        to=Address, number=int, source_bank=Address, source=str, target_bank=Address, target=str,
        amount=int,
    )


class OrderBank(Order, Opened):
    balance = table(account=Key(str), amount=int)

    balance <= OPENING
    balance(account, old - amount) <+- (
        Order.order(_, _, here, account, bank, _, amount) & balance(account, old)
        & (old >= amount) & (bank != here)
    )
    balance(account, old + amount) <+- (
        Order.order(_, _, bank, _, here, account, amount) & balance(account, old)
        & (bank != here)
    )
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class OrderTeller(Order, Wishes):
    Order.order(source_bank, number, source_bank, source, target_bank, target, amount) <~ (
        Wishes.transfer(number, source_bank, source, target_bank, target, amount)
    )
    Order.order(target_bank, number, source_bank, source, target_bank, target, amount) <~ (
        Wishes.transfer(number, source_bank, source, target_bank, target, amount)
    )


class EachTeller(Order, Wishes):
    Order.order(bank, number, source_bank, source, target_bank, target, amount) <~ (
        Wishes.transfer(number, source_bank, source, target_bank, target, amount)
        & each(bank, (source_bank, target_bank))
    )


one_channel = Cluster(bank=OrderBank * 2, teller=OrderTeller * 2)
each_bank = Cluster(bank=OrderBank * 2, teller=EachTeller * 2)


# --------------------------------------- a register of who keeps what, answers, deposits, questions


class Answers(Money):
    ask = channel(to=Address, client=Address, account=str)
    balance_is = channel(to=Address, account=str, amount=int)
    refused = channel(to=Address, number=int)
    done = channel(to=Address, number=int)


class Answering(Answers, Opened):
    """Views on the way: what is covered, and what is not."""

    deposit = input(account=str, amount=int)
    balance = table(account=Key(str), amount=int)
    tellers = const(node=Address)
    covered = scratch(number=int, account=str, amount=int)
    refusals = table(number=int)

    tellers <= [("teller-0",)]
    balance <= OPENING
    covered(number, account, amount) <= (
        Money.debit(_, number, account, amount) & balance(account, old) & (old >= amount)
    )
    balance(account, old - amount) <+- covered(_, account, amount) & balance(account, old)
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )
    balance(account, old + amount) <+- deposit(account, amount) & balance(account, old)
    refusals(number) <+ (
        Money.debit(_, number, _, _) & notin(covered(number, _, _))
    )
    Answers.refused(client, number) <~ (
        Money.debit(_, number, _, _) & notin(covered(number, _, _)) & tellers(client)
    )
    Answers.done(client, number) <~ covered(number, _, _) & tellers(client)
    Answers.balance_is(client, account, amount) <~ (
        Answers.ask(_, client, account) & balance(account, amount)
    )
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class AnsweredTeller(Answers, Wishes):
    question = input(bank=Address, account=str)
    kept_at = const(name=str, bank=Address)
    no = output(number=int)
    yes = output(number=int)
    answer = output(account=str, amount=int)

    kept_at <= [("bank-0", "bank-0"), ("bank-1", "bank-1")]
    Money.debit(bank, number, source, amount) <~ (
        Wishes.transfer(number, source_bank, source, _, _, amount) & kept_at(source_bank, bank)
    )
    Money.credit(bank, number, target, amount) <~ (
        Wishes.transfer(number, _, _, target_bank, target, amount) & kept_at(target_bank, bank)
    )
    Answers.ask(bank, here, account) <~ question(bank, account)
    no(number) <= Answers.refused(_, number)
    yes(number) <= Answers.done(_, number)
    answer(account, amount) <= Answers.balance_is(_, account, amount)


answering = Cluster(bank=Answering * 2, teller=AnsweredTeller)


# ---------------------------------------------------- said again until done, each number done once


class Again(Money):
    booked = channel(to=Address, number=int, account=str)


class Remembering(Again, Opened):
    balance = table(account=Key(str), amount=int, durable=True)
    seen = table(number=int, account=str, durable=True)
    tellers = const(node=Address)

    tellers <= [("teller-0",), ("teller-1",)]
    balance <= OPENING
    balance(account, old - amount) <+- (
        Money.debit(_, number, account, amount) & balance(account, old) & (old >= amount)
        & notin(seen(number, account))
    )
    balance(account, old + amount) <+- (
        Money.credit(_, number, account, amount) & balance(account, old)
        & notin(seen(number, account))
    )
    seen(number, account) <+ Money.debit(_, number, account, _)
    seen(number, account) <+ Money.credit(_, number, account, _)
    Again.booked(client, number, account) <~ seen(number, account) & tellers(client)
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class Patient(Again, Wishes):
    wanted = table(
        number=int, source_bank=Address, source=str, target_bank=Address, target=str, amount=int
    )
    heard = table(number=int, account=str)

    wanted(number, source_bank, source, target_bank, target, amount) <= (
        Wishes.transfer(number, source_bank, source, target_bank, target, amount)
    )
    heard(number, account) <= Again.booked(_, number, account)
    Money.debit(source_bank, number, source, amount) <~ (
        wanted(number, source_bank, source, _, target, amount) & notin(heard(number, source))
    )
    Money.credit(target_bank, number, target, amount) <~ (
        wanted(number, _, _, target_bank, target, amount) & notin(heard(number, target))
    )


patient = Cluster(bank=Remembering * 2, teller=Patient * 2)


# ------------------------------------------- the bank that debits sends the credit: no transaction


class Forwarding(Money, Opened):
    pay = input(number=int, source=str, bank=Address, target=str, amount=int)
    balance = table(account=Key(str), amount=int)

    balance <= OPENING
    balance(source, old - amount) <+- (
        pay(_, source, _, _, amount) & balance(source, old) & (old >= amount)
    )
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )
    Money.credit(bank, number, target, amount) <~ (
        pay(number, source, bank, target, amount) & balance(source, old) & (old >= amount)
    )
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


forwarding = Cluster(bank=Forwarding * 2)


# ------------------------------------ the bank that debits sends the credit even if it does not


class Careless(Money, Opened):
    transfer = input(number=int, source=str, bank=Address, target=str, amount=int)
    balance = table(account=Key(str), amount=int)
    done = output(number=int)
    refused = output(number=int)

    balance <= OPENING
    balance(source, old - amount) <+- (
        transfer(_, source, _, _, amount) & balance(source, old) & (old >= amount)
    )
    done(number) <= (
        transfer(number, source, _, _, amount) & balance(source, old) & (old >= amount)
    )
    refused(number) <= (
        transfer(number, source, _, _, amount) & balance(source, old) & (old < amount)
    )
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )
    Money.credit(bank, number, target, amount) <~ transfer(number, _, bank, target, amount)
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class Office(Money):
    order = channel(
        to=Address, number=int, source=str, bank=Address, target=str, amount=int
    )


class Branch(Office, Opened):
    """The same, asked by message."""

    balance = table(account=Key(str), amount=int)

    balance <= OPENING
    balance(source, old - amount) <+- (
        Office.order(_, _, source, _, _, amount) & balance(source, old) & (old >= amount)
    )
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )
    Money.credit(bank, number, target, amount) <~ Office.order(_, number, _, bank, target, amount)
    Opened.overdrawn(account, amount) <= balance(account, amount) & (amount < 0)


class Customer(Office, Wishes):
    Office.order(source_bank, number, source, target_bank, target, amount) <~ (
        Wishes.transfer(number, source_bank, source, target_bank, target, amount)
    )


careless = Cluster(bank=Careless * 2)
branches = Cluster(bank=Branch * 2, teller=Customer * 2)


# ----------------------------------- who pays and who is paid are of different kinds; by hand: a
# row is deleted and another inserted; nothing is said of what must never be


class Paying(Money):
    balance = table(account=str, amount=int)

    balance <= OPENING
    balance(account, old) <- (
        Money.debit(_, _, account, amount) & balance(account, old) & (old >= amount)
    )
    balance(account, old - amount) <+ (
        Money.debit(_, _, account, amount) & balance(account, old) & (old >= amount)
    )


class Paid(Money):
    got = table(number=int, account=str, amount=int)

    got(number, account, amount) <= Money.credit(_, number, account, amount)


payments = Cluster(payer=Paying, payee=Paid, teller=Teller * 2)


# ------------------------------------------------------- open in the morning: a vote by the clock


class Morning(Money, Opened):
    balance = table(account=Key(str), amount=int)

    balance <= OPENING
    balance(account, old - amount) <+- (
        Money.debit(_, _, account, amount) & balance(account, old) & (old >= amount)
        & (now() % 86_400.0 < 43_200.0)
    )
    balance(account, old + amount) <+- (
        Money.credit(_, _, account, amount) & balance(account, old)
    )


by_the_clock = Cluster(bank=Morning * 2, teller=Teller)
