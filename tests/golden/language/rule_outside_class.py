from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


link = table(src=str, dst=str)
link(x, y) <= link(y, x)
