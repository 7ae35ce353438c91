"""A cluster for bad weather: senders say what they are told, a receiver keeps it."""

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    function,
    here,
    input,
    invariant,
    output,
    table,
    variables,
)

# fmt: off
number, sender, text, to = variables("number sender text to")


class Post(Program):
    """What senders say to receivers."""

    note = channel(to=Address, sender=Address, number=int, text=str)


class Sender(Post):
    """Says what its host wants said."""

    say = input(to=Address, number=int, text=str)
    back = output(sender=Address, number=int)

    Post.note(to, here, number, text) <~ say(to, number, text)
    back(sender, number) <= Post.note(_, sender, number, _)


@function
def checked(text: str) -> str:
    """Does not like one word."""
    if text == "boom":
        raise RuntimeError("a word that it does not like")
    return text


class Receiver(Post):
    """Hears everything, keeps one text per number."""

    heard = output(sender=Address, number=int, text=str)
    kept = table(number=Key(int), text=str, durable=True)
    shown = output(number=int, text=str)
    negative = invariant(number=int)
    forget = input(number=int)

    heard(sender, number, checked(text)) <= Post.note(_, sender, number, text)
    kept(number, text) <= Post.note(_, _, number, text)
    kept(number, text) <- forget(number) & kept(number, text)
    shown(number, text) <= kept(number, text)
    negative(number) <= Post.note(_, _, number, _) & (number < 0)


cluster = Cluster(sender=Sender * 2, receiver=Receiver)
