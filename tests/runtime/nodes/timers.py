"""Programs whose ticks come from timers, or from nothing at all."""

from bloomish import (
    Address,
    Cluster,
    Program,
    _,
    channel,
    here,
    input,
    notin,
    output,
    periodic,
    roster,
    table,
    variables,
)

# fmt: off
flag, number, sender, talker = variables("flag number sender talker")


class Idle(Program):
    """Has nothing to do."""

    kept = table(number=int)
    kept <= [(1,)]


idle = Cluster(idle=Idle * 2)


class Talker(Program):
    """Tells everybody its name, for ever."""

    talkers = roster("talker")
    name = channel(to=Address, sender=Address)
    heard = table(sender=Address)
    known = output(sender=Address)

    name(talker, here) <~ talkers(talker)
    heard(sender) <= name(_, sender)
    known(sender) <= heard(sender)


gossip = Cluster(talker=Talker * 2)


class Questions(Program):
    """Question and answer."""

    question = channel(to=Address, sender=Address, number=int)
    answer = channel(to=Address, number=int)


class Asker(Questions):
    """Asks until it is answered."""

    answerers = roster("answerer")
    ask = input(number=int)
    open = table(number=int)
    got = table(number=int)
    answered = output(number=int)

    open(number) <= ask(number)
    got(number) <= Questions.answer(_, number)
    Questions.question(talker, here, number) <~ (
        open(number) & notin(got(number)) & answerers(talker)
    )
    answered(number) <= got(number)


class Answerer(Questions):
    """Answers once it listens."""

    listen = input(flag=bool)
    listening = table(flag=bool)

    listening(flag) <= listen(flag)
    Questions.answer(sender, number) <~ Questions.question(_, sender, number) & listening(True)


stubborn = Cluster(asker=Asker, answerer=Answerer)


class Clock(Program):
    """Twenty beats a second."""

    tick = periodic(0.05)
    beat = output(number=int)

    beat(number) <= tick(number)
