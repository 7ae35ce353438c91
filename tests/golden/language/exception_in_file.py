from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class P(Program):
    num = table(n=int)
    limit = {}["missing"]
