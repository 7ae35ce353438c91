from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


@function
def double(n: int) -> int:
    return 2 * n

class P(Program):
    link = table(src=str)
    num = scratch(n=int)
    num(double(x)) <= link(x)
