from bloomish import *

x, y = variables("x y")


class Named(Lattice):
    carrier = (int, str)
    bottom = (0, "")

    def merge(a, b):
        return max(a, b)

    @morphism
    def name(a) -> str:
        return a[1]


class P(Program):
    t = table(key=str, named=Named)
