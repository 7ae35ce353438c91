from bloomish import *

k, n, v, w = variables("k n v w")


class P(Program):
    put = input(k=str, v=str, n=int, w=Address)
    kept = table(k=Key(str), v=MVRegister(str))

    kept(k, {({w: n}, v)}) <= put(k, v, n, w)
