"""Programs that do nothing but pass rows between two nodes."""

from bloomish import (
    Address,
    Cluster,
    Program,
    _,
    channel,
    count,
    here,
    input,
    output,
    scratch,
    table,
    variables,
)

# fmt: off
batch, last, n, number, round, sender, to = variables("batch last n number round sender to")


class Wire(Program):
    """One ball to and fro, and loads of rows one way."""

    ball = channel(to=Address, sender=Address, number=int, last=int)
    load = channel(to=Address, round=int, number=int)
    word = channel(to=Address, text=str)


class Near(Wire):
    """Serves the ball and returns it until `last`; sends `stock` when told."""

    serve = input(to=Address, last=int)
    done = output(number=int)

    Wire.ball(to, here, 1, last) <~ serve(to, last)
    Wire.ball(sender, here, number + 1, last) <~ (
        Wire.ball(_, sender, number, last) & (number < last)
    )
    done(number) <= Wire.ball(_, _, number, last) & (number >= last)

    fill = input(batch=int, number=int)
    send = input(to=Address, round=int, batch=int)
    stock = table(batch=int, number=int)

    stock(batch, number) <= fill(batch, number)
    Wire.load(to, round, number) <~ send(to, round, batch) & stock(batch, number)


class Far(Wire):
    """Returns the ball; counts what comes."""

    Wire.ball(sender, here, number, last) <~ Wire.ball(_, sender, number, last)

    got = output(rows=int)
    tally = scratch(rows=int)

    tally(count()) <= Wire.load(_, _, _)
    got(n) <= tally(n)

    read = output(words=int)
    words = scratch(words=int)

    words(count()) <= Wire.word(_, _)
    read(n) <= words(n)


cluster = Cluster(near=Near, far=Far)
