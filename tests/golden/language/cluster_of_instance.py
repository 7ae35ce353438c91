from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


cluster = Cluster(client=3)
