from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


class Kvs(Program):
    put = table(key=str)

class Server(Program):
    kvs = use(Kvs)
    store = table(key=str)
    store(k) <= kvs.got(k)
