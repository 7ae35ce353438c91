from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


@function
def double(n):
    return 2 * n
