from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class P(Program):
    link = table(src=str, dst=str)

class Q(P):
    P.road(x, y) <= P.link(x, y)
