"""Programs whose ticks fail."""

from bloomish import Key, Program, function, input, output, table, variables

# fmt: off
divisor, name, number, text = variables("divisor name number text")


class Failing(Program):
    """Divides by what it is given."""

    give = input(name=int, divisor=int)
    shares = table(name=Key(int), share=int)

    shares(name, 10 // divisor) <= give(name, divisor)

    note = input(number=int, text=str)
    notes = table(number=Key(int), text=str, durable=True)
    shown = output(number=int, text=str)

    notes(number, text) <= note(number, text)
    shown(number, text) <= notes(number, text)


@function
def share(divisor: int) -> int:
    """Fails on zero, a tick too late."""
    return 10 // divisor


class Hopeless(Program):
    """What it is given breaks the next tick, which has no arrival that could be set aside."""

    arm = input(divisor=int)
    armed = table(divisor=int)
    begun = table(number=int)
    ready = output(number=int)
    shares = table(share=int)

    begun <= [(1,)]
    ready(number) <= begun(number)
    armed(divisor) <+ arm(divisor)
    shares(share(divisor)) <= armed(divisor)
