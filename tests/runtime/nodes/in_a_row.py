"""A log that is applied one slot per tick."""

from bloomish import Cluster, Key, Max, Program, _, input, output, scratch, table, variables

# fmt: off
slot, what = variables("slot what")


class Applying(Program):
    append = input(slot=int, what=str)
    log = table(slot=Key(int), what=str, durable=True)
    applied = table(slot=Max(int), durable=True)
    state = table(key=Key(str), slot=int, durable=True)
    now = scratch(slot=int, what=str)
    current = output(slot=int)
    divided = scratch(by=int)

    applied <= [(1,)]
    log <= append
    now(slot, what) <= applied(slot) & log(slot, what)
    applied(slot + 1) <+ now(slot, _)
    state(what, slot) <+- now(slot, what)
    current(slot) <= now(slot, _)
    divided(1 // (slot - slot)) <= now(slot, "fail")


applying = Cluster(log=Applying)
