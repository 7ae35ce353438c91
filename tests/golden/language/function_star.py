from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


@function
def total(*n: int) -> int:
    return sum(n)
