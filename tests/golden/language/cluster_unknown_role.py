from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class A(Program):
    peers = roster("server")

cluster = Cluster(client=A * 3)
