from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class P(Program):
    command = input(slot=int, command=Any)
    pair = input(pair=(str, int))
    votes = table(ballot=Key(int), voters=SetUnion(Address))
    text = output(text=str)
    number = output(number=int)

    number(field(x, 0, int)) <= command(x, _)
