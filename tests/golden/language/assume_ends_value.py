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
    assume("ends", want, key="text", value="text")
