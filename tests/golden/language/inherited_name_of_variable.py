from bloomish import *

x, y = variables("x y")


class Base(Program):
    x = table(n=int)


class P(Base):
    out = output(n=int)

    out(y) <= x(y)
