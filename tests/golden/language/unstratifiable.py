from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class P(Program):
    link = table(src=str, dst=str)
    path = scratch(src=str, dst=str)
    num = table(key=Key(str), value=int)
    msg = channel(to=Address, text=str)
    want = input(text=str)
    out = output(text=str)
    votes = table(ballot=Key(int), voters=SetUnion(Address))

    lonely = scratch(node=str)
    known = scratch(node=str)

    lonely(x) <= link(x, _) & notin(known(x))
    known(x) <= path(x, _)
    path(x, y) <= link(x, y) & lonely(x)
