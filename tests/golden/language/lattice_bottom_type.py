from bloomish import *

x, y = variables("x y")


class Highest(Lattice):
    carrier = int
    bottom = ""

    def merge(a, b):
        return max(a, b)


class P(Program):
    t = table(key=str, highest=Highest)
