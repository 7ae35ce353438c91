from bloomish import *

x, y = variables("x y")


@function
def twice(n: int) -> int:
    return 2 * n


class P(Program):
    given = input(n=int)
    out = output(n=int)

    out(twice) <= given(x)
