from bloomish import *

x, y = variables("x y")


@function
def twice(n: int) -> int:
    yield 2 * n
