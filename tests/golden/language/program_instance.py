from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class A(Program):
    link = table(src=str)

A()
