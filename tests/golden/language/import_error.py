from bloomish import *

x, y, z, k, v, a, b = variables("x y z k v a b")


import no_such_module_at_all
