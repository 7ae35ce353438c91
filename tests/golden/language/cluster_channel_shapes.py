from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


def make(type_):
    class Kvs(Program):
        put = channel(to=Address, key=type_)

    return Kvs

cluster = Cluster(one=make(str), two=make(int))
