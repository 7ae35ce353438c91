from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class A(Program):
    put = table(key=str)

class B(Program):
    put = table(key=int)

class C(A, B):
    pass
