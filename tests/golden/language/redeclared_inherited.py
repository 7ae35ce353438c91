from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class Kvs(Program):
    put = channel(to=Address, key=str)

class Server(Kvs):
    put = table(key=str)
